//! Options, as getopt(3) takes them apart.

use alloc::string::String;
use alloc::vec::Vec;

/// What the arguments of a program say.
pub struct Options<'a> {
    /// Single letters, in order.
    pub flags: Vec<u8>,
    /// All else.
    pub operands: Vec<&'a [u8]>,
}

impl<'a> Options<'a> {
    /// Takes `args` apart: `known` letters are flags, each letter of `with_value` takes a value, which is passed over.
    ///
    /// # Errors
    /// A text for people: an option that is not known.
    pub fn new(args: &'a [Vec<u8>], known: &[u8], with_value: &[u8]) -> Result<Self, String> {
        let mut options = Self { flags: Vec::new(), operands: Vec::new() };
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            match arg.strip_prefix(b"-") {
                Some(b"-") => {
                    options.operands.extend(rest.by_ref().map(Vec::as_slice));
                }
                Some(letters) if !letters.is_empty() => {
                    for (at, letter) in letters.iter().enumerate() {
                        if with_value.contains(letter) {
                            if at + 1 == letters.len() {
                                rest.next();
                            }
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

    /// Whether a flag is set.
    pub fn has(&self, flag: u8) -> bool {
        self.flags.contains(&flag)
    }
}
