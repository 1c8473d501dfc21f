//! Size and hash checks.

use std::fs;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::lock::File;

/// SHA-256 of some bytes, in lower-case hex.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// SHA-256 of a file's content, in lower-case hex.
///
/// # Errors
/// [`Error::Io`] when it cannot be read.
pub fn sha256_file(path: &Path) -> Result<String> {
    let mut file = fs::File::open(path).map_err(|error| Error::io(path, error))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = file.read(&mut buffer).map_err(|error| Error::io(path, error))?;
        if count == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..count]);
    }
}

/// Checks that the file at `path` is the one `expected` describes.
///
/// # Errors
/// [`Error::WrongSize`], [`Error::WrongHash`], [`Error::Io`].
pub fn verify(path: &Path, expected: &File) -> Result<()> {
    let found = fs::metadata(path).map_err(|error| Error::io(path, error))?.len();
    if found != expected.size {
        return Err(Error::WrongSize { path: path.to_owned(), expected: expected.size, found });
    }
    let found = sha256_file(path)?;
    if found != expected.sha256 {
        return Err(Error::WrongHash { path: path.to_owned(), expected: expected.sha256.clone(), found });
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use trapless_scratch::Folder;

    fn expected(content: &[u8]) -> File {
        File { name: "x.orig.tar.gz".into(), size: content.len() as u64, sha256: sha256_hex(content) }
    }

    #[test]
    fn knows_a_published_hash() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn accepts_the_pinned_bytes_only() {
        let scratch = Folder::new();
        let path = scratch.write("x", b"hello");
        verify(&path, &expected(b"hello")).unwrap();
        assert!(matches!(verify(&path, &expected(b"jello")), Err(Error::WrongHash { .. })));
        assert!(matches!(
            verify(&path, &expected(b"hello, world")),
            Err(Error::WrongSize { expected: 12, found: 5, .. })
        ));
    }

    #[test]
    fn hashes_files_longer_than_its_buffer() {
        let scratch = Folder::new();
        let content = vec![7; (1 << 16) + 1];
        assert_eq!(sha256_file(&scratch.write("x", &content)).unwrap(), sha256_hex(&content));
    }
}
