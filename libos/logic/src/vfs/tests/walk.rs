//! The walk against a naive one, which resolves a path by rewriting it until no link is left in it.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Thing {
    Directory,
    File,
    Link(String),
}

/// A tree as a map from a path without dots and links to what is there.
type Model = BTreeMap<Vec<String>, Thing>;

/// Rewrites the path: one component at a time, a link's text in front of what is left. Returns the path of the thing, or the error.
fn naive(model: &Model, start: &[String], path: &str, follow: bool) -> Result<Vec<String>, Errno> {
    if path.is_empty() {
        return Err(Errno::ENOENT);
    }
    let mut at: Vec<String> = if path.starts_with('/') { Vec::new() } else { start.to_vec() };
    let mut todo: Vec<String> = path.split('/').map(String::from).collect();
    // An empty last component is a slash: it asks for a directory, like a dot.
    let mut links = 0;
    while !todo.is_empty() {
        let name = todo.remove(0);
        let last = todo.is_empty();
        let slash = !last && todo.iter().all(String::is_empty);
        if name.is_empty() && !last {
            continue;
        }
        match model.get(&at) {
            Some(Thing::Directory) => {}
            _ => return Err(Errno::ENOTDIR),
        }
        match name.as_str() {
            "" | "." => continue,
            ".." => {
                at.pop();
                continue;
            }
            _ => {}
        }
        let mut next = at.clone();
        next.push(name);
        match model.get(&next) {
            None => return Err(Errno::ENOENT),
            Some(Thing::Link(text)) if follow || !last || slash => {
                links += 1;
                if links > 40 {
                    return Err(Errno::ELOOP);
                }
                if text.starts_with('/') {
                    at.clear();
                }
                let mut spliced: Vec<String> = text.split('/').map(String::from).collect();
                spliced.append(&mut todo);
                todo = spliced;
            }
            Some(_) => at = next,
        }
    }
    Ok(at)
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(std::vec!["a", "b", "c", "l", "m"]).prop_map(String::from)
}

fn path() -> impl Strategy<Value = String> {
    let component = prop_oneof![6 => name(), 1 => Just(".".into()), 2 => Just("..".into()), 1 => Just(String::new())];
    (any::<bool>(), prop::collection::vec(component, 1..7), any::<bool>()).prop_map(|(absolute, parts, slash)| {
        let path =
            std::format!("{}{}{}", if absolute { "/" } else { "" }, parts.join("/"), if slash { "/" } else { "" });
        if path.is_empty() { "/".into() } else { path }
    })
}

fn thing() -> impl Strategy<Value = Thing> {
    prop_oneof![4 => Just(Thing::Directory), 2 => Just(Thing::File), 3 => path().prop_map(Thing::Link)]
}

proptest! {
    #[test]
    fn agrees_with_the_naive_walk(
        things in prop::collection::vec((prop::collection::vec(name(), 1..4), thing()), 1..25),
        paths in prop::collection::vec((path(), any::<bool>()), 1..40),
    ) {
        let vfs = empty(16 << 20);
        let mut model = Model::from([(Vec::new(), Thing::Directory)]);
        for (at, thing) in things {
            let parent = at[..at.len() - 1].to_vec();
            if model.contains_key(&at) || !matches!(model.get(&parent), Some(Thing::Directory)) {
                continue;
            }
            let full = std::format!("/{}", at.join("/"));
            match &thing {
                Thing::Directory => vfs.mkdir(&At::Cwd, full.as_bytes(), 0o777).unwrap(),
                Thing::File => write(&vfs, &full, ""),
                Thing::Link(text) => vfs.symlink(text.as_bytes(), &At::Cwd, full.as_bytes()).unwrap(),
            }
            model.insert(at, thing);
        }
        let cwd: Vec<String> = model.iter().rev().find(|(_, t)| matches!(t, Thing::Directory)).unwrap().0.clone();
        vfs.chdir(std::format!("/{}", cwd.join("/")).as_bytes()).unwrap();
        for (path, follow) in paths {
            let how = if follow { Follow::Yes } else { Follow::No };
            let got = vfs.find(&At::Cwd, path.as_bytes(), how).and_then(|node| vfs.path_of(&node));
            let got = got.map(|path| String::from_utf8(path).unwrap());
            let expected = naive(&model, &cwd, &path, follow).map(|path| std::format!("/{}", path.join("/")));
            prop_assert_eq!(got, expected, "{} from {:?}, follow {}", path, cwd, follow);
        }
    }
}
