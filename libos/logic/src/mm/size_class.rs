//! Which pool of the kernel heap serves an allocation.

use core::alloc::Layout;

/// Object sizes of the pools, in bytes. Each divides a page with little waste, and each is as aligned as its lowest set bit.
pub const SIZES: [usize; 14] = [16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 672, 1024, 1344, 2048];

/// The size class of an allocation, an index into [`SIZES`]; `None` when it is too large, or too strictly aligned, for a pool.
pub fn class_of(layout: Layout) -> Option<usize> {
    let (size, align) = (layout.size(), layout.align());
    SIZES.iter().position(|&class| class >= size && 1 << class.trailing_zeros() >= align)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_large_enough_and_aligned() {
        for size in 0..3000 {
            for shift in 0..13 {
                let align = 1 << shift;
                let layout = Layout::from_size_align(size, align).unwrap();
                match class_of(layout) {
                    // Objects of a class lie at multiples of its size from the start of a page.
                    Some(class) => assert!(SIZES[class] >= size && SIZES[class].is_multiple_of(align)),
                    None => assert!(size > 2048 || align > 2048),
                }
            }
        }
    }

    #[test]
    fn little_of_a_page_is_wasted() {
        for size in SIZES {
            assert!(4096 % size <= 4096 / 16, "{size}");
        }
    }
}
