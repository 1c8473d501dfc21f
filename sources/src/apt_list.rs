//! Finds the Debian archive among the machine's apt sources.
//!
//! Both forms of sources.list(5) are read: one line per source, and deb822 stanzas (`*.sources`). The archive is not
//! looked up by host: whatever mirror the machine uses is the right one.

use std::fs;
use std::path::Path;

/// One source of packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// Root of the archive, without a trailing slash.
    pub uri: String,
    /// `Signed-By` key file, if one is named.
    pub signed_by: Option<String>,
}

/// Where the two Debian archives are, as this machine is configured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Archives {
    /// Roots of the main archive.
    pub main: Vec<String>,
    /// Roots of the security archive.
    pub security: Vec<String>,
}

/// Reads all the apt sources below `etc_apt` (`/etc/apt`). Files that cannot be read count as empty.
pub(crate) fn archives(etc_apt: &Path) -> Archives {
    let mut sources = read(&etc_apt.join("sources.list"), parse_lines);
    let parts = fs::read_dir(etc_apt.join("sources.list.d")).into_iter().flatten().flatten();
    let mut parts: Vec<_> = parts.map(|entry| entry.path()).collect();
    parts.sort();
    for path in parts {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("list") => sources.extend(read(&path, parse_lines)),
            Some("sources") => sources.extend(read(&path, parse_deb822)),
            _ => {}
        }
    }
    select(&sources, |path| fs::read_to_string(path).unwrap_or_default())
}

fn read(path: &Path, parse: fn(&str) -> Vec<Source>) -> Vec<Source> {
    parse(&fs::read_to_string(path).unwrap_or_default())
}

/// `deb [option=value ...] uri suite component...`, or `deb-src`.
pub(crate) fn parse_lines(text: &str) -> Vec<Source> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Source> {
    let line = line.split('#').next()?.trim();
    let (kind, rest) = line.split_once(char::is_whitespace)?;
    if !matches!(kind, "deb" | "deb-src") {
        return None;
    }
    let rest = rest.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let signed_by = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by=")).map(str::to_owned);
    let uri = rest.split_whitespace().next()?;
    Some(Source { uri: trim(uri), signed_by })
}

/// Stanzas of `Field: value` lines, with continuation lines; `Enabled: no` switches a stanza off.
pub(crate) fn parse_deb822(text: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut stanza: Vec<(String, String)> = Vec::new();
    for line in text.lines().chain([""]) {
        if line.trim_start().starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            sources.extend(from_stanza(&stanza));
            stanza.clear();
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = stanza.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            stanza.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    sources
}

fn from_stanza(stanza: &[(String, String)]) -> Vec<Source> {
    let field = |name: &str| stanza.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let off = field("enabled").is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "no" | "false" | "0"));
    if off || field("types").is_none() {
        return Vec::new();
    }
    // A key may also be given inline; only a file's name tells whose it is.
    let signed_by = field("signed-by").filter(|value| value.starts_with('/')).map(str::to_owned);
    let uris = field("uris").unwrap_or_default().split_whitespace();
    uris.map(|uri| Source { uri: trim(uri), signed_by: signed_by.clone() }).collect()
}

/// Picks the Debian archives. A mirror keeps the archive's own folder name (`debian`, `debian-security`); one that does not
/// is still known by the keyring its source is signed with. `mirror+file:` lists (cloud images) are replaced by what they name.
fn select(sources: &[Source], read: impl Fn(&str) -> String) -> Archives {
    let mut archives = Archives::default();
    for source in sources {
        let uris = match source.uri.strip_prefix("mirror+file:") {
            Some(list) => {
                let path = format!("/{}", list.trim_start_matches('/'));
                read(&path).lines().filter_map(|line| line.split_whitespace().next()).map(trim).collect()
            }
            None => vec![source.uri.clone()],
        };
        for uri in uris {
            let scheme = uri.split(':').next().unwrap_or_default();
            if !matches!(scheme, "http" | "https" | "file" | "copy") {
                continue;
            }
            let signed_by_debian = source.signed_by.as_deref().is_some_and(|key| key.contains("debian-archive-"));
            let list = match uri.rsplit('/').next().unwrap_or_default() {
                "debian-security" => &mut archives.security,
                "debian" => &mut archives.main,
                name if signed_by_debian && name.contains("security") => &mut archives.security,
                _ if signed_by_debian => &mut archives.main,
                _ => continue,
            };
            if !list.contains(&uri) {
                list.push(uri);
            }
        }
    }
    archives
}

fn trim(uri: &str) -> String {
    uri.trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uris(sources: &[Source]) -> Vec<&str> {
        sources.iter().map(|source| source.uri.as_str()).collect()
    }

    #[test]
    fn reads_one_line_sources() {
        let text = "
            # deb http://old.example/debian bookworm main
            deb http://mirror.example/debian/ bookworm main contrib # the mirror
            deb-src [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] https://m.example/d bookworm main
            deb
            debx http://no.example/debian bookworm main
            deb [broken http://no.example/debian bookworm main
        ";
        let sources = parse_lines(text);
        assert_eq!(uris(&sources), ["http://mirror.example/debian", "https://m.example/d"]);
        assert_eq!(sources[1].signed_by.as_deref(), Some("/usr/share/keyrings/debian-archive-keyring.gpg"));
    }

    #[test]
    fn reads_deb822_sources() {
        let text = "\
Types: deb deb-src
# a comment between the lines of a stanza
URIs: http://a.example/debian
  http://b.example/debian/
Suites: bookworm bookworm-updates
Components: main

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: bookworm

types: deb
uris: http://a.example/debian-security
suites: bookworm-security
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 -----END PGP PUBLIC KEY BLOCK-----";
        let sources = parse_deb822(text);
        let expected = ["http://a.example/debian", "http://b.example/debian", "http://a.example/debian-security"];
        assert_eq!(uris(&sources), expected);
        assert_eq!(sources[2].signed_by, None);
    }

    #[test]
    fn tells_debian_from_other_archives() {
        let source = |uri: &str, key: Option<&str>| Source { uri: uri.into(), signed_by: key.map(str::to_owned) };
        let debian_key = Some("/usr/share/keyrings/debian-archive-keyring.gpg");
        let sources = [
            source("http://m.example/debian-security", None),
            source("https://vendor.example/apt", Some("/usr/share/keyrings/vendor.gpg")),
            source("http://m.example/debian", None),
            source("http://m.example/debian", None),
            source("http://n.example/mirror/stable", debian_key),
            source("http://n.example/mirror/security", debian_key),
            source("cdrom:[Debian]/debian", None),
        ];
        let archives = select(&sources, |_| unreachable!());
        assert_eq!(archives.main, ["http://m.example/debian", "http://n.example/mirror/stable"]);
        assert_eq!(archives.security, ["http://m.example/debian-security", "http://n.example/mirror/security"]);
    }

    #[test]
    fn follows_a_mirror_list() {
        let sources = [Source { uri: "mirror+file:///etc/apt/mirrors/debian.list".into(), signed_by: None }];
        let archives = select(&sources, |path| {
            assert_eq!(path, "/etc/apt/mirrors/debian.list");
            "https://c.example/debian\tpriority:1\n".into()
        });
        assert_eq!(archives.main, ["https://c.example/debian"]);
    }
}
