//! Systems without the Linux kernel.

use crate::keystore::blocking_store::BlockingStore;
use crate::keystore::error::StoreError;
use crate::model::PrivateKey;

/// Holds nothing.
#[derive(Default)]
pub(crate) struct Kernel;

fn missing<T>() -> Result<T, StoreError> {
    Err(StoreError::Missing("only Linux has them".to_owned()))
}

impl Kernel {
    /// There is no such kernel.
    pub(crate) fn reach() -> Result<(), StoreError> {
        missing()
    }

    /// There is nothing that could hold a key.
    pub(crate) fn holds(_name: &str) -> Result<(), StoreError> {
        missing()
    }
}

impl BlockingStore for Kernel {
    fn load(&mut self, _name: &str) -> Result<PrivateKey, StoreError> {
        missing()
    }

    fn put(&mut self, _name: &str, _key: &PrivateKey) -> Result<(), StoreError> {
        missing()
    }

    fn delete(&mut self, _name: &str) -> Result<bool, StoreError> {
        missing()
    }
}
