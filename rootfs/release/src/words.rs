//! Words of a command line, as they stand in files: in `vm.args` for `erl`, and in ours for the image.

use anyhow::{Result, bail};

/// The words of a `vm.args` file, as `erl -args_file` splits it (erl(1); `get_file_args` in OTP's `erts/etc/common/erlexec.c`): blanks
/// and ends of lines separate, `#` begins a comment where a word could begin, quotes and backslashes keep.
///
/// # Errors
/// A quote that is never closed, with its line.
pub fn of_vm_args(text: &str) -> Result<Vec<String>> {
    let (mut words, mut word, mut quote, mut line) = (Vec::new(), None::<String>, None, 1);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        line += usize::from(c == '\n');
        match (c, quote) {
            (c, Some((open, _))) if c == open => quote = None,
            ('\\', None | Some(('"', _))) => word.get_or_insert_default().extend(chars.next()),
            ('"' | '\'', None) => {
                quote = Some((c, line));
                word.get_or_insert_default();
            }
            ('#', None) if word.is_none() => {
                let _ = chars.by_ref().take_while(|&c| c != '\n').count();
                line += 1;
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    if let Some((open, line)) = quote {
        bail!("line {line}: the {open} is never closed");
    }
    words.extend(word);
    Ok(words)
}

/// Words as a file of arguments holds them: each option on a line of its own, quoted as the image splits them
/// (`trapless_logic::cmdline`).
pub fn to_file(words: &[String]) -> String {
    let mut text = String::new();
    for word in words {
        if !text.is_empty() {
            text.push(if word.starts_with(['-', '+']) { '\n' } else { ' ' });
        }
        text += &quoted(word);
    }
    text.push('\n');
    text
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-_./:=,@%${}".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vm_args_are_split_as_erl_does() {
        let text = "## Name of the node\n-name a@b # here\n\n+P 1000\n-env X \"a b\\\"\" -eval 'io:format(\"x\")'\n-a b#c \\#d ''\n";
        let words = of_vm_args(text).unwrap();
        let expected =
            ["-name", "a@b", "+P", "1000", "-env", "X", "a b\"", "-eval", "io:format(\"x\")", "-a", "b#c", "#d", ""];
        assert_eq!(words, expected);
        assert_eq!(of_vm_args("# only\n#\n").unwrap(), Vec::<String>::new());
        let error = of_vm_args("-a\n# it's\n-b 'c\n").unwrap_err().to_string();
        assert!(error.contains("line 3"), "{error}");
    }

    #[test]
    fn the_image_reads_what_is_written() {
        let words = ["-eval", "io:format(\"a\\nb\").", "", "+S", "4", "a'b c", "${NODE}"].map(String::from);
        assert_eq!(trapless_logic::cmdline::split_words(&to_file(&words)).unwrap(), words);
        assert!(to_file(&words).contains("\n+S 4 "));
    }
}
