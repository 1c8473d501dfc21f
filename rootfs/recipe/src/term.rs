//! Reads Erlang terms written as text, as far as they are data: what stands in `.rel` and `.app` files.
//!
//! Atoms, numbers, strings, binaries of bytes and strings, tuples, lists and maps, each term ended by a full stop (Erlang Reference
//! Manual, "Data Types"). What a compiler would have to work out is refused, with the line.

use anyhow::{Result, bail};

/// A term.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// An atom.
    Atom(String),
    /// An integer that fits.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// A text in double quotes.
    Text(String),
    /// A binary.
    Binary(Vec<u8>),
    /// A tuple.
    Tuple(Vec<Term>),
    /// A list; one that does not end in `[]` has its tail as the last element here.
    List(Vec<Term>),
    /// Keys and values of a map.
    Map(Vec<(Term, Term)>),
}

impl Term {
    /// The name of an atom.
    pub fn atom(&self) -> Option<&str> {
        if let Self::Atom(name) = self { Some(name) } else { None }
    }

    /// A text; the empty list is one, too.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::List(list) if list.is_empty() => Some(""),
            _ => None,
        }
    }

    /// The elements of a tuple.
    pub fn tuple(&self) -> Option<&[Term]> {
        if let Self::Tuple(elements) = self { Some(elements) } else { None }
    }

    /// The elements of a list; the empty text is one, too.
    pub fn list(&self) -> Option<&[Term]> {
        match self {
            Self::List(elements) => Some(elements),
            Self::Text(text) if text.is_empty() => Some(&[]),
            _ => None,
        }
    }

    /// The value behind a key, in a list of pairs.
    pub fn get(&self, key: &str) -> Option<&Term> {
        self.list()?.iter().find_map(|pair| match pair.tuple()? {
            [name, value] if name.atom() == Some(key) => Some(value),
            _ => None,
        })
    }
}

/// All terms of a file.
///
/// # Errors
/// Names the line that is not understood.
pub fn read(text: &str) -> Result<Vec<Term>> {
    let mut reader = Reader { text, at: 0 };
    let mut terms = Vec::new();
    loop {
        reader.skip();
        if reader.rest().is_empty() {
            return Ok(terms);
        }
        terms.push(reader.term()?);
        reader.expect('.')?;
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Blanks and comments.
    fn skip(&mut self) {
        while let Some(c) = self.peek() {
            match c {
                '%' => self.at += self.rest().find('\n').unwrap_or(self.rest().len()),
                c if c.is_whitespace() => self.at += c.len_utf8(),
                _ => return,
            }
        }
    }

    fn wrong<T>(&self, what: &str) -> Result<T> {
        let line = self.text[..self.at].matches('\n').count() + 1;
        bail!("line {line}: {what}")
    }

    fn takes(&mut self, mark: &str) -> bool {
        self.skip();
        let found = self.rest().starts_with(mark);
        self.at += if found { mark.len() } else { 0 };
        found
    }

    fn expect(&mut self, mark: char) -> Result<()> {
        if self.takes(mark.encode_utf8(&mut [0; 4])) {
            return Ok(());
        }
        match self.peek() {
            Some(c) => self.wrong(&format!("a {mark:?} is missing before {c:?}")),
            None => self.wrong(&format!("the file ends where a {mark:?} should be")),
        }
    }

    fn term(&mut self) -> Result<Term> {
        self.skip();
        match self.peek() {
            Some('{') => {
                self.next();
                Ok(Term::Tuple(self.elements("}", Self::term)?))
            }
            Some('[') => {
                self.next();
                Ok(Term::List(self.list()?))
            }
            Some('#') if self.takes("#{") => Ok(Term::Map(self.elements("}", |reader| {
                let key = reader.term()?;
                if !reader.takes("=>") {
                    return reader.wrong("a => is missing in a map");
                }
                Ok((key, reader.term()?))
            })?)),
            Some('<') if self.takes("<<") => Ok(Term::Binary(self.binary()?)),
            Some('"') => self.strings(),
            Some('\'') => Ok(Term::Atom(self.quoted('\'')?)),
            Some('$') => {
                self.next();
                let c = if self.peek() == Some('\\') { self.escape()? } else { self.next() };
                c.map_or_else(
                    || self.wrong("a $ with nothing behind it"),
                    |c| Ok(Term::Integer(i64::from(u32::from(c)))),
                )
            }
            Some(c) if c.is_ascii_digit() || c == '-' || c == '+' => self.number(),
            Some(c) if c.is_lowercase() => {
                let length = self.rest().find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '@'));
                let length = length.unwrap_or(self.rest().len());
                let name = self.rest()[..length].to_owned();
                self.at += length;
                Ok(Term::Atom(name))
            }
            Some(c) => self.wrong(&format!("no term begins with {c:?}")),
            None => self.wrong("the file ends inside a term"),
        }
    }

    fn elements<T>(&mut self, end: &str, one: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut elements = Vec::new();
        if self.takes(end) {
            return Ok(elements);
        }
        loop {
            elements.push(one(self)?);
            if self.takes(end) {
                return Ok(elements);
            }
            self.expect(',')?;
        }
    }

    fn list(&mut self) -> Result<Vec<Term>> {
        let mut elements = Vec::new();
        if self.takes("]") {
            return Ok(elements);
        }
        loop {
            elements.push(self.term()?);
            if self.takes("]") {
                return Ok(elements);
            }
            if self.takes("|") {
                match self.term()? {
                    Term::List(tail) => elements.extend(tail),
                    tail => elements.push(tail),
                }
                self.expect(']')?;
                return Ok(elements);
            }
            self.expect(',')?;
        }
    }

    fn binary(&mut self) -> Result<Vec<u8>> {
        let segments = self.elements(">>", |reader| {
            let value = reader.term()?;
            let utf8 = reader.takes("/utf8");
            let byte = |number: i64| u8::try_from(number).ok();
            let bytes = match value {
                Term::Integer(number) => byte(number).map(|byte| vec![byte]),
                Term::Text(text) if utf8 => Some(text.into_bytes()),
                Term::Text(text) => text.chars().map(|c| byte(u32::from(c).into())).collect(),
                _ => None,
            };
            bytes.map_or_else(|| reader.wrong("a binary holds something other than bytes and text"), Ok)
        })?;
        Ok(segments.concat())
    }

    /// Texts that stand side by side are one.
    fn strings(&mut self) -> Result<Term> {
        let mut text = self.quoted('"')?;
        self.skip();
        while self.peek() == Some('"') {
            text += &self.quoted('"')?;
            self.skip();
        }
        Ok(Term::Text(text))
    }

    fn quoted(&mut self, quote: char) -> Result<String> {
        self.next();
        let mut text = String::new();
        loop {
            match self.peek() {
                None => return self.wrong(&format!("a {quote} is never closed")),
                Some('\\') => text.extend(self.escape()?),
                Some(c) => {
                    self.next();
                    if c == quote {
                        return Ok(text);
                    }
                    text.push(c);
                }
            }
        }
    }

    /// What a backslash and the characters behind it stand for.
    fn escape(&mut self) -> Result<Option<char>> {
        self.next();
        Ok(match self.next() {
            Some('n') => Some('\n'),
            Some('t') => Some('\t'),
            Some('r') => Some('\r'),
            Some('s') => Some(' '),
            Some('e') => Some('\u{1b}'),
            Some('x') => {
                let braces = self.peek() == Some('{');
                let digits: String = if braces {
                    self.next();
                    let end = self.rest().find('}').unwrap_or(0);
                    let digits = self.rest()[..end].to_owned();
                    self.at += end + usize::from(end > 0);
                    digits
                } else {
                    let digits: String = self.rest().chars().take(2).collect();
                    self.at += digits.len();
                    digits
                };
                let c = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                if c.is_none() {
                    return self.wrong("\\x is followed by no character's number");
                }
                c
            }
            c => c,
        })
    }

    fn number(&mut self) -> Result<Term> {
        let length = self.rest()[1..].find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '#'));
        let mut length = length.map_or(self.rest().len(), |at| at + 1);
        // A full stop inside a number has a digit behind it; an exponent may have a sign.
        let tail = &self.rest()[length..];
        let fraction = tail.starts_with('.') && tail[1..].starts_with(|c: char| c.is_ascii_digit());
        if fraction {
            let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            length += 1 + digits(&self.rest()[length + 1..]);
            if let Some(exponent) = self.rest()[length..].strip_prefix(['e', 'E']) {
                let sign = usize::from(exponent.starts_with(['-', '+']));
                length += 1 + sign + digits(&exponent[sign..]);
            }
        }
        let text = self.rest()[..length].replace('_', "");
        let value = match text.split_once('#') {
            _ if fraction => text.parse().ok().map(Term::Float),
            Some((base, digits)) => {
                let base = base.parse().ok().filter(|base| (2..=36).contains(base));
                base.and_then(|base| i64::from_str_radix(digits, base).ok()).map(Term::Integer)
            }
            None => text.parse().ok().map(Term::Integer),
        };
        let Some(value) = value else { return self.wrong(&format!("{text} is no number that can be read here")) };
        self.at += length;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Term {
        read(&format!("{text}.")).unwrap().remove(0)
    }

    fn atom(name: &str) -> Term {
        Term::Atom(name.into())
    }

    #[test]
    fn a_release_file_is_read() {
        let text = "%% coding: utf-8\n{release, {\"my app\", \"1.0\"}, {erts, \"15.2.7\"},\n [{kernel,\"10.2\"}, {'Odd', \"1\", load}]}.\n";
        let terms = read(text).unwrap();
        let release = terms[0].tuple().unwrap();
        assert_eq!(release[1].tuple().unwrap()[0].text(), Some("my app"));
        assert_eq!(release[3].list().unwrap()[1].tuple().unwrap()[0].atom(), Some("Odd"));
    }

    #[test]
    fn every_kind_of_data() {
        assert_eq!(one("'a\\'b'"), atom("a'b"));
        assert_eq!(one("a_b@c"), atom("a_b@c"));
        assert_eq!(one("-12"), Term::Integer(-12));
        assert_eq!(one("16#fF"), Term::Integer(255));
        assert_eq!(one("1_000"), Term::Integer(1000));
        assert_eq!(one("$a"), Term::Integer(97));
        assert_eq!(one("1.5e-3"), Term::Float(0.0015));
        assert_eq!(one("\"a\" \"\\x41\\x{e9}\\n\""), Term::Text("aA\u{e9}\n".into()));
        assert_eq!(one("<<\"ab\",1>>"), Term::Binary(b"ab\x01".to_vec()));
        assert_eq!(one("<<\"ab\"/utf8>>"), Term::Binary(b"ab".to_vec()));
        assert_eq!(
            one("#{a => [1|[2]]}"),
            Term::Map(vec![(atom("a"), Term::List(vec![Term::Integer(1), Term::Integer(2)]))])
        );
        assert_eq!(one("{}"), Term::Tuple(vec![]));
        assert_eq!(one("[{a, 1}, {b, 2}]").get("b"), Some(&Term::Integer(2)));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, message) in [
            ("{a,\n b", "line 2: the file ends where a ','"),
            ("{a b}.", "line 1: a ',' is missing before 'b'"),
            ("\n\n\"open", "line 3: a \" is never closed"),
            ("Variable.", "no term begins with 'V'"),
            ("fun() -> ok end.", "a '.' is missing before '('"),
            ("a", "the file ends where a '.'"),
            ("99999999999999999999.", "no number that can be read here"),
            ("#{a = 1}.", "a => is missing"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
