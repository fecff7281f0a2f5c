//! The memory of a program that exits at once: a part of the program itself, handed out from its front, wiped when given back.
//!
//! The C library's allocator asks the kernel for pages before it gives any, and musl's returns them as soon as they are free: ten
//! calls in a `get`, which cost more than all that is done with the memory. And tokens pass through buffers that are not ours.

// The only place of the helper with unsafe code: an allocator is a contract that the compiler cannot check.
#![expect(unsafe_code, reason = "an allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How much there is. A `get` takes less than 8 KiB; a request and an answer of the greatest length that is allowed would fit.
/// Pages that are never touched occupy no memory.
const ROOM: usize = 512 * 1024;

/// The room, and the system's allocator when it is used up.
pub(crate) struct Arena {
    room: UnsafeCell<[u8; ROOM]>,
    /// Where the free part of the room begins.
    used: AtomicUsize,
}

// SAFETY: a part of the room belongs to the caller that it was handed out to, and `used` hands each out once.
unsafe impl Sync for Arena {}

impl Arena {
    #[expect(clippy::large_stack_arrays, reason = "made by the compiler, and by tests")]
    pub(crate) const fn new() -> Self {
        Self { room: UnsafeCell::new([0; ROOM]), used: AtomicUsize::new(0) }
    }

    /// Where a block begins in the room, if it is in the room.
    fn offset(&self, block: *mut u8) -> Option<usize> {
        block.addr().checked_sub(self.room.get().addr()).filter(|&offset| offset < ROOM)
    }

    /// The end of a block with that layout behind `used`, and its beginning.
    fn place(&self, used: usize, layout: Layout) -> Option<(usize, usize)> {
        let room = self.room.get().addr();
        let begin = (room + used).checked_next_multiple_of(layout.align())? - room;
        let end = begin.checked_add(layout.size())?;
        (end <= ROOM).then_some((begin, end))
    }
}

// SAFETY: a block lies between `used` as it was and as it is then, aligned, so no two overlap until the first is given back; what
// does not fit comes from `System` and goes back to it. `realloc` is the trait's own: it allocates, copies and deallocates, and so
// wipes the old block.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut begin = 0;
        let taken = self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
            self.place(used, layout).map(|(from, end)| {
                begin = from;
                end
            })
        });
        match taken {
            // SAFETY: `begin` is within the room.
            Ok(_) => unsafe { self.room.get().cast::<u8>().add(begin) },
            // SAFETY: the caller's promises are the ones that `System` needs.
            Err(_) => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block is as large as its layout says, and nothing else refers to it any more. Once it is written it is
        // initialized; the barrier keeps the compiler from leaving out writes that nothing reads.
        unsafe {
            block.write_bytes(0, layout.size());
            zeroize::optimization_barrier(std::slice::from_raw_parts(block, layout.size()));
        }
        match self.offset(block) {
            // The last one makes room again; the others stay until the program exits.
            Some(begin) => {
                let end = begin + layout.size();
                let _ = self.used.compare_exchange(end, begin, Ordering::AcqRel, Ordering::Relaxed);
            }
            // SAFETY: it is not of the room, so it came from `System`.
            None => unsafe { System.dealloc(block, layout) },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::alloc::{GlobalAlloc, Layout};

    use super::{Arena, ROOM};

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn blocks_are_aligned_and_apart_and_wiped_when_they_are_given_back() {
        let arena: &'static Arena = Box::leak(Box::new(Arena::new()));
        // SAFETY: each block is used within its layout and given back once.
        unsafe {
            let first = arena.alloc(layout(3, 1));
            let second = arena.alloc(layout(64, 64));
            assert_eq!(second.addr() % 64, 0);
            assert!(second.addr() >= first.addr() + 3);
            second.write_bytes(7, 64);
            let second = arena.realloc(second, layout(64, 64), 128);
            assert_eq!(std::slice::from_raw_parts(second, 64), [7; 64]);
            let begin = arena.room.get().cast::<u8>();
            arena.dealloc(second, layout(128, 64));
            let used = second.addr() + 128 - begin.addr();
            assert!(
                std::slice::from_raw_parts(begin, used)[3..].iter().all(|&byte| byte == 0),
                "nothing is left of it"
            );
            let third = arena.alloc(layout(128, 64));
            assert_eq!(third.addr(), second.addr(), "the last one's room is used again");
        }
    }

    #[test]
    fn what_does_not_fit_comes_from_the_system() {
        let arena: &'static Arena = Box::leak(Box::new(Arena::new()));
        // SAFETY: the same.
        unsafe {
            let large = arena.alloc(layout(ROOM + 1, 8));
            assert!(arena.offset(large).is_none());
            large.write_bytes(1, ROOM + 1);
            arena.dealloc(large, layout(ROOM + 1, 8));
            let all = arena.alloc(layout(ROOM, 1));
            assert_eq!(arena.offset(all), Some(0));
            assert!(arena.offset(arena.alloc(layout(1, 1))).is_none());
        }
    }
}
