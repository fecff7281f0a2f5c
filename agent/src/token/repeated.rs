//! Values that thousands of tokens share: each is kept once.

use std::collections::HashSet;
use std::hash::Hash;

/// Most values that are remembered. With more of them few are equal, and the set is simply emptied.
const MOST: usize = 256;

/// The values that there have been. A clone has to share the value, not copy it.
#[derive(Debug)]
pub(super) struct Repeated<T>(HashSet<T>);

impl<T> Default for Repeated<T> {
    fn default() -> Self {
        Self(HashSet::new())
    }
}

impl<T: Clone + Eq + Hash> Repeated<T> {
    /// The first value that was equal to this one.
    pub(super) fn one(&mut self, value: T) -> T {
        if let Some(known) = self.0.get(&value) {
            return known.clone();
        }
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert(value.clone());
        value
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{MOST, Repeated};

    #[test]
    fn equal_values_become_one_and_there_are_never_many_of_them() {
        let mut repeated = Repeated::default();
        let first: Arc<str> = repeated.one("a".into());
        assert!(Arc::ptr_eq(&first, &repeated.one("a".into())));
        for number in 0..10 * MOST {
            repeated.one(number.to_string().into());
            assert!(repeated.0.len() <= MOST);
        }
        assert_eq!(*repeated.one("a".into()), *first);
    }
}
