//! The bytes of a regular file: an unchangeable base from the image, and chunks of memory over it for what was written.
//!
//! Nothing is copied until it is written to, and then only the chunk that is; a hole takes no memory. A reader gets a counted
//! handle to a piece and copies it out after the lock on the file is released.

use super::quota::Quota;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use trapless_abi::{Errno, SysResult};

/// Bytes a chunk holds; the largest single allocation a file makes.
pub const CHUNK: u64 = 64 * 1024;
/// The smallest allocation for a chunk, in bytes.
const FIRST: usize = 512;

struct Chunk {
    index: u64,
    /// At most [`CHUNK`] bytes; what is missing at the end reads as zeros.
    data: Arc<Vec<u8>>,
}

/// A run of bytes of a file.
#[derive(Debug)]
pub enum Piece {
    /// Bytes of the image.
    Static(&'static [u8]),
    /// Part of a chunk.
    Chunk(Arc<Vec<u8>>, Range<usize>),
    /// That many zeros.
    Zeros(usize),
}

/// What a regular file holds. Whoever drops one gives [`Content::allocated`] back to the quota.
pub struct Content {
    base: &'static [u8],
    size: u64,
    /// Ascending by index. No chunk reaches beyond `size`.
    chunks: Vec<Chunk>,
    allocated: u64,
}

impl Content {
    /// A file that starts as `base`.
    pub const fn new(base: &'static [u8]) -> Self {
        Self { base, size: base.len() as u64, chunks: Vec::new(), allocated: 0 }
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Memory taken from the quota, in bytes.
    pub fn allocated(&self) -> u64 {
        self.allocated
    }

    /// Bytes of data, holes not counted: for `st_blocks`.
    pub fn resident(&self) -> u64 {
        self.allocated + self.base.len() as u64
    }

    /// The longest run at `offset` that lies in one place, at most `want` bytes; None at or after the end.
    pub fn piece(&self, offset: u64, want: usize) -> Option<Piece> {
        if offset >= self.size || want == 0 {
            return None;
        }
        let want = (want as u64).min(self.size - offset);
        if self.chunks.is_empty() {
            return Some(self.below(offset, want));
        }
        let (index, at) = (offset / CHUNK, offset % CHUNK);
        let want = want.min(CHUNK - at);
        let Ok(found) = self.find(index) else { return Some(self.below(offset, want)) };
        let data = &self.chunks[found].data;
        let (at, len) = (at as usize, data.len());
        if at >= len {
            return Some(Piece::Zeros(want as usize));
        }
        Some(Piece::Chunk(data.clone(), at..len.min(at + want as usize)))
    }

    /// A run where no chunk is.
    fn below(&self, offset: u64, want: u64) -> Piece {
        let left = &self.base[self.base.len().min(offset as usize)..];
        match left.len().min(want as usize) {
            0 => Piece::Zeros(want as usize),
            n => Piece::Static(&left[..n]),
        }
    }

    fn find(&self, index: u64) -> Result<usize, usize> {
        // Appending is the common case.
        match self.chunks.last() {
            Some(last) if last.index < index => Err(self.chunks.len()),
            _ => self.chunks.binary_search_by_key(&index, |c| c.index),
        }
    }

    /// Writes `bytes` at `offset`, growing the file as needed; returns how many fit in. EFBIG, ENOSPC if not one did.
    pub fn write(&mut self, offset: u64, bytes: &[u8], quota: &Quota) -> SysResult<usize> {
        let limit = i64::MAX as u64;
        if offset >= limit {
            return Err(Errno::EFBIG);
        }
        let bytes = &bytes[..bytes.len().min((limit - offset) as usize)];
        let mut done = 0;
        while done < bytes.len() {
            let at = offset + done as u64;
            let n = (bytes.len() - done).min((CHUNK - at % CHUNK) as usize);
            match self.write_chunk(at, &bytes[done..done + n], quota) {
                Ok(()) => done += n,
                Err(e) if done == 0 => return Err(e),
                Err(_) => break,
            }
            self.size = self.size.max(offset + done as u64);
        }
        Ok(done)
    }

    fn write_chunk(&mut self, offset: u64, bytes: &[u8], quota: &Quota) -> SysResult<()> {
        let (index, at) = (offset / CHUNK, (offset % CHUNK) as usize);
        let found = match self.find(index) {
            Ok(found) => found,
            Err(place) => self.copy_up(index, place, at + bytes.len(), quota)?,
        };
        let data = unshared(&mut self.chunks[found].data)?;
        self.allocated += grow(data, at + bytes.len(), quota)?;
        if data.len() < at {
            data.resize(at, 0);
        }
        let over = bytes.len().min(data.len() - at);
        data[at..at + over].copy_from_slice(&bytes[..over]);
        data.extend_from_slice(&bytes[over..]);
        Ok(())
    }

    /// Makes the chunk for `index`, with what the base has there, and room for `need` bytes.
    fn copy_up(&mut self, index: u64, place: usize, need: usize, quota: &Quota) -> SysResult<usize> {
        self.chunks.try_reserve(1).map_err(|_| Errno::ENOSPC)?;
        let start = self.base.len().min((index * CHUNK) as usize);
        let end = self.base.len().min(start + CHUNK as usize);
        let below = &self.base[start..end];
        let mut data = Vec::new();
        self.allocated += grow(&mut data, need.max(below.len()), quota)?;
        data.extend_from_slice(below);
        self.chunks.insert(place, Chunk { index, data: Arc::new(data) });
        Ok(place)
    }

    /// Cuts the file or extends it with a hole. ENOSPC, EFBIG.
    pub fn truncate(&mut self, size: u64, quota: &Quota) -> SysResult<()> {
        if size > i64::MAX as u64 {
            return Err(Errno::EFBIG);
        }
        if size < self.size {
            let (index, at) = (size / CHUNK, (size % CHUNK) as usize);
            let keep = self.chunks.partition_point(|c| c.index < index);
            let mut gone = keep;
            if at > 0
                && let Some(chunk) = self.chunks.get_mut(keep).filter(|c| c.index == index)
            {
                unshared(&mut chunk.data)?.truncate(at);
                gone += 1;
            }
            let freed = self.chunks.drain(gone..).map(|c| c.data.capacity() as u64).sum();
            self.allocated -= freed;
            quota.give(freed);
            self.base = &self.base[..self.base.len().min(size as usize)];
        }
        self.size = size;
        Ok(())
    }
}

/// The chunk for changing. If a reader still holds it the reader keeps the old bytes. ENOSPC.
fn unshared(data: &mut Arc<Vec<u8>>) -> SysResult<&mut Vec<u8>> {
    if Arc::get_mut(data).is_none() {
        let mut copy = Vec::new();
        // The same capacity, so that what the quota was charged for stays true.
        copy.try_reserve_exact(data.capacity()).map_err(|_| Errno::ENOSPC)?;
        copy.extend_from_slice(data);
        *data = Arc::new(copy);
    }
    Arc::get_mut(data).ok_or(Errno::ENOSPC)
}

/// Makes room for `need` bytes and returns what was taken from the quota. ENOSPC.
fn grow(data: &mut Vec<u8>, need: usize, quota: &Quota) -> SysResult<u64> {
    let old = data.capacity();
    if need <= old {
        return Ok(0);
    }
    let capacity = need.next_power_of_two().clamp(FIRST, CHUNK as usize);
    let more = (capacity - old) as u64;
    quota.take(more)?;
    if data.try_reserve_exact(capacity - data.len()).is_err() {
        quota.give(more);
        return Err(Errno::ENOSPC);
    }
    Ok(more)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(content: &Content, mut offset: u64, mut want: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(piece) = content.piece(offset, want) {
            let before = all.len();
            match piece {
                Piece::Static(s) => all.extend_from_slice(s),
                Piece::Chunk(data, range) => all.extend_from_slice(&data[range]),
                Piece::Zeros(n) => all.resize(before + n, 0),
            }
            let n = all.len() - before;
            assert!(n > 0);
            (offset, want) = (offset + n as u64, want - n);
        }
        all
    }

    static BASE: [u8; 100_000] = [7; 100_000];

    #[test]
    fn only_the_written_chunk_is_copied() {
        let quota = Quota::new(1 << 20);
        let mut content = Content::new(&BASE);
        assert!(matches!(content.piece(0, usize::MAX), Some(Piece::Static(s)) if s.len() == BASE.len()));
        content.write(CHUNK + 5, b"xyz", &quota).unwrap();
        assert_eq!(content.chunks.len(), 1);
        let mut expected = BASE.to_vec();
        expected[CHUNK as usize + 5..][..3].copy_from_slice(b"xyz");
        assert_eq!(bytes(&content, 0, usize::MAX), expected);
        assert_eq!(quota.used(), content.allocated());
    }

    #[test]
    fn a_far_hole_takes_one_chunk() {
        let quota = Quota::new(1 << 20);
        let mut content = Content::new(&[]);
        content.write(1 << 40, b"end", &quota).unwrap();
        assert_eq!(content.size(), (1 << 40) + 3);
        assert_eq!(quota.used(), FIRST as u64);
        assert_eq!(bytes(&content, (1 << 40) - 2, 10), b"\0\0end");
    }

    #[test]
    fn what_was_cut_off_is_zero_when_the_file_grows_again() {
        let quota = Quota::new(1 << 20);
        let mut content = Content::new(&BASE);
        content.write(10, b"abc", &quota).unwrap();
        content.truncate(11, &quota).unwrap();
        content.truncate(200_000, &quota).unwrap();
        let all = bytes(&content, 0, usize::MAX);
        assert_eq!((&all[..12], all.len()), (&b"\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07a\0"[..], 200_000));
        assert!(all[11..].iter().all(|&b| b == 0));
        content.truncate(0, &quota).unwrap();
        assert_eq!(quota.used(), 0);
    }

    #[test]
    fn a_full_quota_writes_what_fits_and_then_fails() {
        let quota = Quota::new(CHUNK + 1000);
        let mut content = Content::new(&[]);
        let data = std::vec![1; 2 * CHUNK as usize];
        assert_eq!(content.write(0, &data, &quota), Ok(CHUNK as usize));
        assert_eq!(content.write(CHUNK, &data, &quota), Err(Errno::ENOSPC));
        assert_eq!(content.write(CHUNK, &data[..512], &quota), Ok(512));
        assert_eq!(content.size(), CHUNK + 512);
        assert_eq!(content.write(i64::MAX as u64, b"x", &quota), Err(Errno::EFBIG));
    }

    #[test]
    fn a_reader_keeps_the_bytes_it_was_given() {
        let quota = Quota::new(1 << 20);
        let mut content = Content::new(&[]);
        content.write(0, b"before", &quota).unwrap();
        let Some(Piece::Chunk(data, range)) = content.piece(0, 6) else { panic!() };
        content.write(0, b"after!", &quota).unwrap();
        assert_eq!(&data[range], b"before");
        assert_eq!(bytes(&content, 0, 6), b"after!");
        assert_eq!(quota.used(), content.allocated());
    }
}
