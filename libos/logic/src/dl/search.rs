//! Where a library may lie that another needs, or that is asked for by a plain name.

use alloc::vec::Vec;

/// Where every system looks.
const FOLDERS: [&[u8]; 3] = [b"/lib", b"/usr/local/lib", b"/usr/lib"];

/// The folder of a path.
pub fn folder(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(0) => b"/",
        Some(at) => &path[..at],
        None => b".",
    }
}

/// The paths to try for `name`, in order.
///
/// A name with a slash is a path. Others are looked for in the folders that the asking library names (`$ORIGIN` is its own), then beside it
/// (which other systems do not do: but here libraries are put together by hand), then where all are. `asking` is the path of that library and
/// its list of folders.
pub fn candidates(name: &[u8], asking: Option<(&[u8], &[u8])>) -> Vec<Vec<u8>> {
    if name.contains(&b'/') {
        return alloc::vec![name.to_vec()];
    }
    let mut folders: Vec<Vec<u8>> = Vec::new();
    if let Some((path, list)) = asking {
        let own = folder(path);
        folders.extend(list.split(|&byte| byte == b':').filter(|one| !one.is_empty()).map(|one| expanded(one, own)));
        folders.push(own.to_vec());
    }
    folders.extend(FOLDERS.map(<[u8]>::to_vec));
    folders.iter().map(|folder| [&folder[..], b"/", name].concat()).collect()
}

/// A folder with `$ORIGIN` replaced.
fn expanded(folder: &[u8], own: &[u8]) -> Vec<u8> {
    for mark in [&b"${ORIGIN}"[..], b"$ORIGIN"] {
        if let Some(at) = folder.windows(mark.len()).position(|bytes| bytes == mark) {
            return [&folder[..at], own, &folder[at + mark.len()..]].concat();
        }
    }
    folder.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn tried(name: &str, asking: Option<(&str, &str)>) -> Vec<String> {
        let asking = asking.map(|(path, list)| (path.as_bytes(), list.as_bytes()));
        candidates(name.as_bytes(), asking).into_iter().map(|path| String::from_utf8(path).unwrap()).collect()
    }

    #[test]
    fn a_path_is_taken_as_it_is() {
        assert_eq!(tried("./x.so", Some(("/a/b.so", "/c"))), ["./x.so"]);
    }

    #[test]
    fn the_folders_of_the_asking_library_come_first() {
        assert_eq!(
            tried("libx.so", Some(("/app/priv/nif.so", "$ORIGIN/../lib:/opt:${ORIGIN}"))),
            [
                "/app/priv/../lib/libx.so",
                "/opt/libx.so",
                "/app/priv/libx.so",
                "/app/priv/libx.so",
                "/lib/libx.so",
                "/usr/local/lib/libx.so",
                "/usr/lib/libx.so"
            ]
        );
        assert_eq!(tried("libx.so", None).len(), FOLDERS.len());
        assert_eq!(tried("libx.so", Some(("/nif.so", "")))[0], "//libx.so");
        assert_eq!(tried("libx.so", Some(("nif.so", "")))[0], "./libx.so");
    }
}
