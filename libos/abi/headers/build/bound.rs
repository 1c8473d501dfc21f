//! What the headers declare, as bindgen reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use quote::ToTokens;
use syn::{Fields, Item, Type};

use crate::value::value_of;

/// The declarations of one set of headers.
#[derive(Default)]
pub struct Bound {
    /// Fields of each structure or union, in order. A typedef has the fields of its target.
    pub structs: BTreeMap<String, BTreeSet<String>>,
    /// Values of macros and enumerators.
    pub constants: BTreeMap<String, i128>,
}

impl Bound {
    /// Runs bindgen on `wrapper` and writes the types it generates to `output`.
    pub fn generate(wrapper: &Path, include: &[PathBuf], scratch: &Path, output: &Path) -> Result<Self, String> {
        let mut builder = bindgen::Builder::default()
            .header(wrapper.display().to_string())
            .clang_args(["-nostdinc", "-std=gnu11", "--target=x86_64-unknown-linux-gnu"])
            .default_enum_style(bindgen::EnumVariation::Consts)
            .prepend_enum_name(false)
            .ignore_functions()
            .layout_tests(false)
            .derive_debug(false)
            // For macros that are not mere numbers, such as `((int)0x80)`.
            .clang_macro_fallback()
            .clang_macro_fallback_build_dir(scratch)
            .formatter(bindgen::Formatter::None);
        for folder in include {
            builder = builder.clang_arg(format!("-isystem{}", folder.display()));
        }
        let text = builder.generate().map_err(|error| format!("{}: {error}", wrapper.display()))?.to_string();
        let file = syn::parse_file(&text).map_err(|error| format!("{}: {error}", wrapper.display()))?;
        std::fs::write(output, types(&file)).map_err(|error| format!("cannot write {}: {error}", output.display()))?;
        Ok(Self::read(&file))
    }

    fn read(file: &syn::File) -> Self {
        let mut bound = Self::default();
        let mut aliases = Vec::new();
        for item in &file.items {
            match item {
                Item::Struct(item) => {
                    if let Fields::Named(fields) = &item.fields {
                        let names = fields.named.iter().filter_map(|field| Some(field.ident.as_ref()?.to_string()));
                        bound.structs.insert(item.ident.to_string(), names.collect());
                    }
                }
                Item::Type(item) => {
                    if let Type::Path(path) = &*item.ty
                        && let Some(target) = path.path.get_ident()
                    {
                        aliases.push((item.ident.to_string(), target.to_string()));
                    }
                }
                Item::Const(item) => {
                    if let Some(value) = value_of(&item.expr) {
                        bound.constants.insert(item.ident.to_string(), value);
                    }
                }
                _ => {}
            }
        }
        for (alias, target) in aliases {
            if let Some(fields) = bound.structs.get(&target).cloned() {
                bound.structs.insert(alias, fields);
            }
        }
        bound
    }
}

/// The types alone. Constants are compared as numbers, and some come twice: as an enumerator and as a macro.
fn types(file: &syn::File) -> String {
    let is_type = |item: &&Item| matches!(item, Item::Struct(_) | Item::Union(_) | Item::Type(_));
    file.items.iter().filter(is_type).map(|item| format!("{}\n", item.to_token_stream())).collect()
}
