//! Shared libraries. These calls are ours, with numbers behind all of Linux's: there a program loads libraries by itself, with code that
//! it finds in the headers of its own file. Here the image is the program, and it has none (`docs/decisions/0024-shared-libraries.md`).

/// Adds the rows of this area, and passes on to the next.
#[doc(hidden)]
#[macro_export]
macro_rules! __library_rows {
    ([$($view:tt)*] $($rows:tt)*) => {
        $crate::__thread_rows! {
            [$($view)*] $($rows)*
            509 dl_load library::dl_load(path: Path, mode: U32, why: Out<u8>, size: Len)
                partial "for dlopen(3): no thread-local variables at fixed places, no ifuncs";
            510 dl_info library::dl_info(number: Usize, info: Out<u8>, size: Len) full;
            511 dl_symbol library::dl_symbol(number: Usize, name: Path, value: Out<Usize>) full;
        }
    };
}
