//! Has the kernel map pages before somebody faults on them. What they hold stays as it is.

use crate::sandbox::pagemap::PAGE;
use rustix::mm::{Advice, madvise};
use std::ops::Range;

/// Populate up to `count` pages of the mapping `image`, so that no worker waits for the disk. Best effort: kernels
/// before 5.14 refuse.
#[allow(unsafe_code)]
pub fn readable(image: &Range<*const u8>, first: u64, count: u64) {
    let length = (image.end.addr() - image.start.addr()) as u64;
    let from = first.saturating_mul(PAGE).min(length);
    let count = count.saturating_mul(PAGE).min(length - from);
    let start = image.start.wrapping_add(from as usize).cast_mut().cast();
    // SAFETY: the range is part of the image, which the caller keeps mapped. Reading it does not change its contents.
    let _ = unsafe { madvise(start, count as usize, Advice::LinuxPopulateRead) };
}

/// Give private memory its own copies of the pages at `addresses`, as writing to them would. Best effort: kernels before 5.14
/// refuse, and memory that was unmapped in the meantime has none.
#[allow(unsafe_code)]
pub fn writable(addresses: Range<usize>) {
    let start = std::ptr::without_provenance_mut(addresses.start);
    // SAFETY: the kernel maps pages as for a write, and writes nothing: whatever is there by now keeps its contents.
    let _ = unsafe { madvise(start, addresses.len(), Advice::LinuxPopulateWrite) };
}
