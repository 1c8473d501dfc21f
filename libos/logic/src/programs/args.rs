//! Options, as getopt(3) takes them apart.

use alloc::string::String;
use alloc::vec::Vec;

/// What the arguments of a program say.
pub struct Options<'a> {
    /// Single letters, in order.
    pub flags: Vec<u8>,
    /// Letters that take a value, each with its value, in order.
    pub values: Vec<(u8, &'a [u8])>,
    /// All else.
    pub operands: Vec<&'a [u8]>,
}

impl<'a> Options<'a> {
    /// Takes `args` apart: `known` letters are flags, each letter of `with_value` takes a value.
    ///
    /// # Errors
    /// A text for people: an option that is not known, or has no value.
    pub fn new(args: &'a [Vec<u8>], known: &[u8], with_value: &[u8]) -> Result<Self, String> {
        let mut options = Self { flags: Vec::new(), values: Vec::new(), operands: Vec::new() };
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            match arg.strip_prefix(b"-") {
                Some(b"-") => {
                    options.operands.extend(rest.by_ref().map(Vec::as_slice));
                }
                Some(letters) if !letters.is_empty() => {
                    for (at, letter) in letters.iter().enumerate() {
                        if with_value.contains(letter) {
                            let value = match &letters[at + 1..] {
                                [] => rest.next().map(Vec::as_slice),
                                behind => Some(behind),
                            };
                            let Some(value) = value else {
                                return Err(alloc::format!("option requires an argument -- '{}'", char::from(*letter)));
                            };
                            options.values.push((*letter, value));
                            break;
                        }
                        if !known.contains(letter) {
                            return Err(alloc::format!("invalid option -- '{}'", char::from(*letter)));
                        }
                        options.flags.push(*letter);
                    }
                }
                _ => options.operands.push(arg),
            }
        }
        Ok(options)
    }

    /// The values of a letter, in order.
    pub fn of(&self, letter: u8) -> impl Iterator<Item = &'a [u8]> {
        self.values.iter().filter(move |(of, _)| *of == letter).map(|(_, value)| *value)
    }

    /// Whether a flag is set.
    pub fn has(&self, flag: u8) -> bool {
        self.flags.contains(&flag)
    }
}
