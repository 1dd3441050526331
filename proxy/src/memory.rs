//! How the process takes memory.

use mimalloc::MiMalloc;

/// A proxy allocates and frees for every request, on every core at once.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Takes pages one by one. The allocator spreads what it holds over a wide range, and a huge page for each corner of it doubles
/// the process: 2 MiB for every few KiB.
pub(crate) fn process() {
    // A kernel that refuses costs memory, not the service.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}
