//! Memory management as plans: which frames are free, which size class an allocation belongs to, what the address space looks like.
//! Nothing here touches memory; the platform carries the plans out.

pub mod bittree;
pub mod buddy;
mod range;
pub mod size_class;
pub mod space;

pub use range::{HUGE_PAGE, PAGE, Range, page_up};
