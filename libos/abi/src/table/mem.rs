//! Memory.

/// Adds the rows of this area, and passes on to the next.
#[doc(hidden)]
#[macro_export]
macro_rules! __mem_rows {
    ([$($view:tt)*] $($rows:tt)*) => {
        $crate::__library_rows! {
            [$($view)*] $($rows)*
            9 mmap mem::mmap(addr: UserPtr, length: Len, prot: Prot, flags: MmapFlags, fd: Fd, offset: Offset)
                partial "a shared mapping of a file does not write back";
            10 mprotect mem::mprotect(addr: UserPtr, len: Len, prot: Prot) full;
            11 munmap mem::munmap(addr: UserPtr, length: Len) full;
            12 brk mem::brk(addr: UserPtr) full;
            25 mremap mem::mremap(old_address: UserPtr, old_size: Len, new_size: Len, flags: MremapFlags,
                new_address: UserPtr)
                full;
            26 msync mem::msync(addr: UserPtr, length: Len, flags: MsyncFlags)
                stub "files live in memory: there is nothing to write back";
            27 mincore mem::mincore(addr: UserPtr, length: Len, vec: Out<u8>) full;
            28 madvise mem::madvise(addr: UserPtr, length: Len, advice: Madvice)
                partial "MADV_DONTNEED and MADV_FREE act; other advice is checked and then ignored";
            149 mlock mem::mlock(addr: UserPtr, len: Len) stub "memory is never swapped out";
            150 munlock mem::munlock(addr: UserPtr, len: Len) stub "memory is never swapped out";
            151 mlockall mem::mlockall(flags: MlockallFlags) stub "memory is never swapped out";
            152 munlockall mem::munlockall() stub "memory is never swapped out";
            325 mlock2 mem::mlock2(addr: UserPtr, len: Len, flags: MlockFlags) stub "memory is never swapped out";
        }
    };
}
