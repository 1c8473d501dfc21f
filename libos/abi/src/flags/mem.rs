//! Memory.

use super::{choices, consts, flags};

flags! {
    /// Protection of pages, mmap(2); no bit is `PROT_NONE`.
    strict Prot: u32, "PROT_NONE" for 0xffff_ffff {
        PROT_READ = 1, "Readable.";
        PROT_WRITE = 2, "Writable.";
        PROT_EXEC = 4, "Executable.";
    }
}

flags! {
    /// Kind of mapping, mmap(2). Linux ignores bits it does not know, unless the type is `MAP_SHARED_VALIDATE`.
    lenient MmapFlags: u32 {
        MAP_SHARED_VALIDATE = 3, "Shared, and unknown flags are errors.";
        MAP_SHARED = 1, "Changes reach the file and other mappings.";
        MAP_PRIVATE = 2, "Changes stay private.";
        MAP_FIXED = 0x10, "At exactly this address, replacing what is there.";
        MAP_ANONYMOUS = 0x20, "Of no file.";
        MAP_32BIT = 0x40, "In the low 2 GiB.";
        MAP_GROWSDOWN = 0x100, "A stack.";
        MAP_DENYWRITE = 0x800, "Ignored.";
        MAP_EXECUTABLE = 0x1000, "Ignored.";
        MAP_LOCKED = 0x2000, "Locked as by mlock(2).";
        MAP_NORESERVE = 0x4000, "Reserve no swap space.";
        MAP_POPULATE = 0x8000, "Fill now.";
        MAP_NONBLOCK = 0x10000, "With `MAP_POPULATE`: without waiting.";
        MAP_STACK = 0x20000, "For a stack; without effect.";
        MAP_HUGETLB = 0x40000, "Of huge pages.";
        MAP_SYNC = 0x80000, "Of persistent memory.";
        MAP_FIXED_NOREPLACE = 0x100000, "At exactly this address, or EEXIST.";
    }
}

impl MmapFlags {
    /// The bits that hold the type of the mapping.
    pub const MAP_TYPE: u32 = 0xf;
}

flags! {
    /// Flags of mremap(2).
    strict MremapFlags: u32 {
        MREMAP_MAYMOVE = 1, "May move.";
        MREMAP_FIXED = 2, "Must move to the fifth argument.";
        MREMAP_DONTUNMAP = 4, "Leave the old range mapped.";
    }
}

flags! {
    /// Flags of msync(2).
    strict MsyncFlags: u32 {
        MS_ASYNC = 1, "Do not wait.";
        MS_INVALIDATE = 2, "Drop other copies.";
        MS_SYNC = 4, "Wait.";
    }
}

flags! {
    /// Flags of mlock2, mlock(2).
    strict MlockFlags: u32 {
        MLOCK_ONFAULT = 1, "Lock pages as they are touched.";
    }
}

flags! {
    /// Flags of mlockall, mlock(2).
    strict MlockallFlags: u32 {
        MCL_CURRENT = 1, "What is mapped.";
        MCL_FUTURE = 2, "What will be mapped.";
        MCL_ONFAULT = 4, "As pages are touched.";
    }
}

choices! {
    /// Advice about the use of memory, madvise(2).
    Madvice: i32, else EINVAL {
        MADV_NORMAL = 0, "Nothing special.";
        MADV_RANDOM = 1, "In random order.";
        MADV_SEQUENTIAL = 2, "In order.";
        MADV_WILLNEED = 3, "Soon.";
        MADV_DONTNEED = 4, "No more: anonymous pages read as zero again.";
        MADV_FREE = 8, "No more: pages may be taken away until they are written again.";
        MADV_REMOVE = 9, "Punch a hole.";
        MADV_DONTFORK = 10, "Not in children.";
        MADV_DOFORK = 11, "In children.";
        MADV_MERGEABLE = 12, "Merge equal pages.";
        MADV_UNMERGEABLE = 13, "Do not merge.";
        MADV_HUGEPAGE = 14, "Use huge pages.";
        MADV_NOHUGEPAGE = 15, "Use no huge pages.";
        MADV_DONTDUMP = 16, "Not in core dumps.";
        MADV_DODUMP = 17, "In core dumps.";
        MADV_WIPEONFORK = 18, "Zero in children.";
        MADV_KEEPONFORK = 19, "Kept in children.";
        MADV_COLD = 20, "Not soon.";
        MADV_PAGEOUT = 21, "Write out.";
        MADV_POPULATE_READ = 22, "Fill for reading.";
        MADV_POPULATE_WRITE = 23, "Fill for writing.";
        MADV_COLLAPSE = 25, "Make huge pages now.";
    }
}

consts! { usize {
    PAGE_SIZE = 4096, "Bytes of a page.";
} }
