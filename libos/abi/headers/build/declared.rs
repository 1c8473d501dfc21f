//! What trapless-abi declares, read from its sources: so nothing it declares can be forgotten here.

use std::collections::BTreeMap;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{Expr, Fields, Item};

use crate::value::value_of;

/// A `#[repr(C)]` structure.
pub struct Struct {
    /// Its Rust name.
    pub name: String,
    /// Its fields in order.
    pub fields: Vec<String>,
}

/// A constant with a Linux spelling.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub struct Constant {
    /// The Linux spelling.
    pub name: String,
    /// Its value, if it can be told from its text.
    pub value: Option<i128>,
    /// The constant it is another name of.
    alias: Option<String>,
}

/// Where the C side's names are declared; the rest of the crate is Rust's own.
const PLACES: [&str; 3] = ["errno.rs", "flags", "structs"];

/// Everything declared in those places.
#[derive(Default)]
pub struct Declared {
    /// In the order of the files.
    pub structs: Vec<Struct>,
    /// Sorted, each once.
    pub constants: Vec<Constant>,
}

impl Declared {
    /// Reads trapless-abi's sources in `folder`.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let mut declared = Self::default();
        for place in PLACES {
            declared.add(&folder.join(place))?;
        }
        let known: BTreeMap<_, _> = declared.constants.iter().map(|known| (known.name.clone(), known.value)).collect();
        for constant in declared.constants.iter_mut().filter(|constant| constant.value.is_none()) {
            constant.value = constant.alias.as_ref().and_then(|name| known.get(name).copied().flatten());
        }
        declared.constants.sort();
        declared.constants.dedup();
        Ok(declared)
    }

    /// Adds a file, or all files of a folder.
    fn add(&mut self, path: &Path) -> Result<(), String> {
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        if path.is_dir() {
            let items = std::fs::read_dir(path).map_err(|error| failed(&error))?;
            let mut paths = items.map(|item| Ok(item?.path())).collect::<std::io::Result<Vec<_>>>();
            paths.as_mut().map_err(|error| failed(error))?.sort();
            return paths.map_err(|error| failed(&error))?.iter().try_for_each(|path| self.add(path));
        }
        let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
        let file = syn::parse_file(&text).map_err(|error| failed(&error))?;
        file.items.iter().for_each(|item| self.add_item(item));
        Ok(())
    }

    fn add_item(&mut self, item: &Item) {
        match item {
            Item::Struct(item) if is_repr_c(&item.attrs) => {
                let Fields::Named(fields) = &item.fields else { return };
                let fields = fields.named.iter().filter_map(|field| Some(field.ident.as_ref()?.to_string()));
                self.structs.push(Struct { name: item.ident.to_string(), fields: fields.collect() });
            }
            // A declarative macro's definition holds patterns, not constants; its uses hold the lists.
            Item::Macro(item) if item.ident.is_none() => self.add_rows(item.mac.tokens.clone()),
            Item::Const(item) => self.add_constant(&item.ident.to_string(), &item.expr),
            Item::Enum(item) => {
                for variant in &item.variants {
                    if let Some((_, value)) = &variant.discriminant {
                        self.add_constant(&variant.ident.to_string(), value);
                    }
                }
            }
            Item::Impl(item) => {
                for item in &item.items {
                    if let syn::ImplItem::Const(item) = item {
                        self.add_constant(&item.ident.to_string(), &item.expr);
                    }
                }
            }
            Item::Mod(item) if !is_test(&item.attrs) => {
                item.content.iter().flat_map(|(_, items)| items).for_each(|item| self.add_item(item));
            }
            _ => {}
        }
    }

    fn add_constant(&mut self, name: &str, value: &Expr) {
        if is_linux_spelling(name) {
            let alias = match value {
                Expr::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
                _ => None,
            };
            self.constants.push(Constant { name: name.to_owned(), value: value_of(value), alias });
        }
    }

    /// Finds `NAME = VALUE, "documentation"` at any depth of a macro's argument.
    fn add_rows(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => self.add_rows(group.stream()),
                TokenTree::Ident(name) if is_punct(tokens.get(at + 1), '=') && is_linux_spelling(&name.to_string()) => {
                    let value = tokens[at + 2..].iter().take_while(|token| !is_punct(Some(token), ','));
                    if let Ok(value) = syn::parse2(value.cloned().collect()) {
                        self.add_constant(&name.to_string(), &value);
                    }
                }
                _ => {}
            }
        }
    }
}

fn is_linux_spelling(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.chars().all(allowed) && name.contains(|c: char| c.is_ascii_uppercase())
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

fn is_repr_c(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("repr")).any(|attribute| {
        let mut found = false;
        let _ = attribute.parse_nested_meta(|meta| {
            found |= meta.path.is_ident("C");
            // The argument of `align(8)`.
            let _ = meta.input.parse::<Option<proc_macro2::Group>>();
            Ok(())
        });
        found
    })
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident("cfg"))
}
