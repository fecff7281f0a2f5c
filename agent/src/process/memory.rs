//! Memory that held a secret is wiped when it is freed, whatever code used it; and keys that stay in memory stay out of swap.
//!
//! Our own types wipe themselves. The libraries between them and the network do not: a token passes through the buffers of HTTP,
//! TLS and JSON, a key through those of the session bus. Each of these buffers is on the heap and is wiped when it is freed. That
//! does not reach stacks (the keyring's thread wipes its own) nor the heap of C libraries (aws-lc wipes its own).

// The one place of the agent with unsafe code on all systems: an allocator is a contract that the compiler cannot check.
#![expect(unsafe_code, reason = "an allocator and a system call that takes addresses")]

use std::alloc::{GlobalAlloc, Layout, System};

/// What the C libraries align every block to, at the least (`max_align_t`), where this agent runs.
const ALIGNED: usize = if cfg!(target_pointer_width = "64") { 16 } else { 8 };

/// The system's allocator, which wipes what it takes back.
///
/// It costs a `memset` per deallocation, and growing a large buffer copies it; nothing that can be seen beside a system call.
///
/// What has to be aligned to more, as every task of tokio's has, is a common block with room to move in. glibc's `memalign` would
/// cut such a block to size: the hole that it leaves is too small for the next one to be cut from, and thousands of mints left
/// thousands of holes behind.
#[derive(Debug, Default)]
pub struct WipingAllocator;

/// The common block for one that has to be aligned to more; `None` if no memory is that large.
fn roomy(layout: Layout) -> Option<Layout> {
    Layout::from_size_align(layout.size().checked_add(layout.align())?, ALIGNED).ok()
}

/// The bytes before an aligned block, which say how far into its common block it begins.
const NOTE: usize = size_of::<usize>();

// SAFETY: every block, or the common one around it, comes from `System` and goes back to it with the layout that it was asked for
// with. `realloc` is the trait's own: it allocates, copies and deallocates, and so wipes the old block.
unsafe impl GlobalAlloc for WipingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= ALIGNED {
            // SAFETY: the caller's promises are the ones that `System` needs.
            return unsafe { System.alloc(layout) };
        }
        let Some(room) = roomy(layout) else { return std::ptr::null_mut() };
        // SAFETY: it is larger than nothing. The offset is at most the alignment, so behind it there is room for the block; and at
        // least `ALIGNED`, since the alignment and the common block's address are multiples of that, so before it there is room
        // for the note.
        unsafe {
            let common = System.alloc(room);
            if common.is_null() {
                return common;
            }
            let offset = layout.align() - common.addr() % layout.align();
            let block = common.add(offset);
            block.sub(NOTE).cast::<[u8; NOTE]>().write(offset.to_ne_bytes());
            block
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= ALIGNED {
            // SAFETY: the same.
            return unsafe { System.alloc_zeroed(layout) };
        }
        // SAFETY: the caller's promises are the ones that `alloc` needs, and what it gives has that size.
        unsafe {
            let block = self.alloc(layout);
            if !block.is_null() {
                block.write_bytes(0, layout.size());
            }
            block
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block is as large as its layout says, and nothing else refers to it any more. Once it is written it is
        // initialized; the barrier keeps the compiler from leaving out writes that nothing reads. The note before one that is
        // aligned to more is as `alloc` wrote it.
        unsafe {
            block.write_bytes(0, layout.size());
            zeroize::optimization_barrier(std::slice::from_raw_parts(block, layout.size()));
            if layout.align() <= ALIGNED {
                System.dealloc(block, layout);
            } else if let Some(room) = roomy(layout) {
                let offset = usize::from_ne_bytes(block.sub(NOTE).cast::<[u8; NOTE]>().read());
                System.dealloc(block.sub(offset), room);
            }
        }
    }
}

/// Keeps the pages of a secret from being written to swap, where the system allows it. It is no reason to fail: many systems
/// grant 64 KiB, some none.
///
/// Nothing is unlocked again: a page holds more than one secret, and there are only as many pages as there were keys.
#[cfg(unix)]
pub(crate) fn keep_out_of_swap(secret: &[u8]) {
    let address = secret.as_ptr().cast_mut().cast();
    // SAFETY: the call changes nothing in the pages, and they are mapped, since the slice is in them.
    if let Err(error) = unsafe { rustix::mm::mlock(address, secret.len()) } {
        tracing::debug!(%error, "a key may be written to swap");
    }
}

/// Not asked for on other systems.
#[cfg(not(unix))]
pub(crate) fn keep_out_of_swap(_secret: &[u8]) {}

/// Gives free memory back to the system. Mints leave holes between the tokens that they made, and the C library keeps those for
/// later; the agent would seem to grow for good.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn give_back() {
    unsafe extern "C" {
        fn malloc_trim(pad: usize) -> std::ffi::c_int;
    }
    // SAFETY: it may be called at any time from any thread (malloc_trim(3)), and touches nothing that is in use.
    unsafe { malloc_trim(0) };
}

/// Other C libraries do so by themselves, or have no such call.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn give_back() {}

/// Wipes what a call has left on the stack below its caller, `DEPTH` bytes down, and gives the pages back to the system: a thread
/// that waits for its next call would otherwise occupy them for good.
///
/// The call must not have been inlined, and this should be, or it would begin a little further down than the call did. The stack has
/// to reach that far down.
#[inline]
pub(crate) fn wipe_stack<const DEPTH: usize>() {
    zeroize::zeroize_stack::<DEPTH>();
    give_back_stack(DEPTH);
}

/// Not inlined, so that it begins where what was wiped began.
#[cfg(target_os = "linux")]
#[inline(never)]
fn give_back_stack(depth: usize) {
    /// A multiple of every page that Linux has.
    const LARGEST_PAGE: usize = 64 * 1024;
    /// The usual page. Where pages are larger, the system refuses what does not begin at one.
    const PAGE: usize = 4096;
    /// Stays: the frames of this function and of what it calls.
    const NEAR: usize = 16 * 1024;

    let here = std::hint::black_box(0_u8);
    let here = (&raw const here).addr();
    let (start, end) = ((here + NEAR - depth).next_multiple_of(PAGE), (here - NEAR) / LARGEST_PAGE * LARGEST_PAGE);
    let (size, start) = (end.saturating_sub(start), std::ptr::without_provenance_mut(start));
    // SAFETY: all of it is below the frames that are in use, on the stack of this thread, which has just been written to that far
    // down. The next use finds zeros.
    if let Err(error) = unsafe { rustix::mm::madvise(start, size, rustix::mm::Advice::LinuxDontNeed) } {
        tracing::debug!(%error, "a stack stays as large as it was");
    }
}

/// Other systems have no such call, or one that promises less.
#[cfg(not(target_os = "linux"))]
fn give_back_stack(_depth: usize) {}

#[cfg(test)]
mod tests {
    use std::alloc::{GlobalAlloc, Layout, System};

    use super::WipingAllocator;

    #[test]
    fn a_block_that_grows_keeps_its_content_and_one_that_is_made_zeroed_is_zeroed() {
        let layout = Layout::from_size_align(64, 8).unwrap();
        // SAFETY: each block is used within its layout and given back once.
        unsafe {
            let block = WipingAllocator.alloc(layout);
            block.write_bytes(7, 64);
            let larger = WipingAllocator.realloc(block, layout, 4096);
            assert_eq!(std::slice::from_raw_parts(larger, 64), [7; 64]);
            WipingAllocator.dealloc(larger, Layout::from_size_align(4096, 8).unwrap());
            let zeroed = WipingAllocator.alloc_zeroed(layout);
            assert_eq!(std::slice::from_raw_parts(zeroed, 64), [0; 64]);
            System.dealloc(zeroed, layout);
        }
    }

    #[test]
    fn a_block_is_aligned_as_it_was_asked_for_and_its_own() {
        for align in [1, 16, 32, 128, 4096] {
            for size in [1, 127, 128, 8200] {
                let layout = Layout::from_size_align(size, align).unwrap();
                // SAFETY: each block is used within its layout and given back once.
                unsafe {
                    let blocks: [_; 8] = std::array::from_fn(|_| WipingAllocator.alloc(layout));
                    for (number, block) in (1..).zip(blocks) {
                        assert_eq!(block.addr() % align, 0, "{layout:?}");
                        block.write_bytes(number, size);
                    }
                    for (number, block) in (1..).zip(blocks) {
                        assert!(
                            std::slice::from_raw_parts(block, size).iter().all(|byte| *byte == number),
                            "{layout:?}"
                        );
                        WipingAllocator.dealloc(block, layout);
                    }
                    let zeroed = WipingAllocator.alloc_zeroed(layout);
                    assert!(std::slice::from_raw_parts(zeroed, size).iter().all(|byte| *byte == 0), "{layout:?}");
                    WipingAllocator.dealloc(zeroed, layout);
                }
            }
        }
    }

    /// How much of a thread's stack is in memory, in kB. Called by that thread.
    #[cfg(target_os = "linux")]
    fn stack_in_memory() -> usize {
        let here = std::hint::black_box(0_u8);
        let here = (&raw const here).addr();
        let smaps = std::fs::read_to_string("/proc/thread-self/smaps").unwrap();
        let mut lines = smaps.lines();
        let parse = |address: &str| usize::from_str_radix(address, 16).ok();
        let is_here = |line: &&str| {
            let bounds = line.split(' ').next().and_then(|range| range.split_once('-'));
            let bounds = bounds.and_then(|(start, end)| Some(parse(start)?..parse(end)?));
            bounds.is_some_and(|bounds| bounds.contains(&here))
        };
        lines.find(is_here).expect("a stack is mapped");
        let resident = lines.find_map(|line| line.strip_prefix("Rss:")).unwrap();
        resident.trim().strip_suffix(" kB").unwrap().parse().unwrap()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_stack_that_was_wiped_is_no_longer_in_memory() {
        const DEPTH: usize = 256 * 1024;
        let sizes = std::thread::spawn(|| {
            zeroize::zeroize_stack::<DEPTH>();
            let before = stack_in_memory();
            super::wipe_stack::<DEPTH>();
            (before, stack_in_memory())
        });
        let (before, after) = sizes.join().unwrap();
        assert!(before * 1024 >= DEPTH && after * 1024 <= DEPTH / 2, "from {before} to {after} kB");
    }

    #[test]
    fn no_memory_is_as_large_as_a_block_that_fills_all_of_it() {
        let layout = Layout::from_size_align(isize::MAX.unsigned_abs() & !127, 128).unwrap();
        // SAFETY: the layout is larger than nothing.
        assert!(unsafe { WipingAllocator.alloc(layout) }.is_null());
    }
}
