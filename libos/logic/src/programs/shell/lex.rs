//! From characters to words and operators (XCU 2.3, token recognition).

use alloc::string::String;
use alloc::vec::Vec;

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Characters that stand for themselves.
    Text(Vec<u8>),
    /// The value of a parameter; `quoted` if it stays one field.
    Parameter {
        /// Its name.
        name: Vec<u8>,
        /// What is there if it has no value (`${NAME:-WORD}`).
        default: Option<Vec<u8>>,
        quoted: bool,
    },
    /// What commands write.
    Substitution { text: Vec<u8>, quoted: bool },
    /// Quotes around nothing: an empty field.
    Empty,
}

/// A word before expansion.
pub type Word = Vec<Part>;

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    Word(Word),
    /// `;`, `&&`, `||`, `|`, `(`, `)`, `<`, `>`, `>>`, `<&`, `>&`, or a newline.
    Operator(&'static str),
    /// The number right before a redirection.
    Number(u8),
}

/// Why there are no tokens.
#[derive(Debug, PartialEq, Eq)]
pub enum Problem {
    /// A quote or a substitution is open.
    Incomplete,
    /// What is not understood.
    Wrong(String),
}

/// Longer ones first.
const OPERATORS: [&str; 13] = ["&&", "||", ">>", "<<", "<&", ">&", ";", "|", "&", "(", ")", "<", ">"];

/// All tokens of a text.
pub fn tokens(text: &[u8]) -> Result<Vec<Token>, Problem> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.token()? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn token(&mut self) -> Result<Option<Token>, Problem> {
        loop {
            match self.peek() {
                None => return Ok(None),
                Some(b' ' | b'\t' | b'\r') => self.at += 1,
                Some(b'\\') if self.text[self.at..].starts_with(b"\\\n") => self.at += 2,
                Some(b'#') => {
                    while self.peek().is_some_and(|byte| byte != b'\n') {
                        self.at += 1;
                    }
                }
                Some(b'\n') => {
                    self.at += 1;
                    return Ok(Some(Token::Operator("\n")));
                }
                Some(_) => break,
            }
        }
        let rest = &self.text[self.at..];
        if let [digit @ b'0'..=b'9', b'<' | b'>', ..] = rest {
            self.at += 1;
            return Ok(Some(Token::Number(digit - b'0')));
        }
        match OPERATORS.iter().find(|operator| rest.starts_with(operator.as_bytes())) {
            Some(&("<<" | "&")) => {
                let which = if rest[0] == b'&' { "background jobs" } else { "here-documents" };
                Err(Problem::Wrong(alloc::format!("syntax error: {which} are not supported")))
            }
            Some(operator) => {
                self.at += operator.len();
                Ok(Some(Token::Operator(operator)))
            }
            None => self.word().map(|word| Some(Token::Word(word))),
        }
    }

    fn word(&mut self) -> Result<Word, Problem> {
        let mut word = Word::new();
        loop {
            match self.peek() {
                None | Some(b' ' | b'\t' | b'\r' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')') => {
                    return Ok(word);
                }
                Some(b'\'') => {
                    self.at += 1;
                    let text = self.until(b'\'')?;
                    add(&mut word, &text, true);
                }
                Some(b'"') => {
                    self.at += 1;
                    self.quoted(&mut word)?;
                }
                Some(b'\\') => {
                    self.at += 1;
                    match self.next().ok_or(Problem::Incomplete)? {
                        b'\n' => {}
                        byte => add(&mut word, &[byte], false),
                    }
                }
                Some(b'$' | b'`') => self.dollar(&mut word, false)?,
                Some(byte) => {
                    self.at += 1;
                    add(&mut word, &[byte], false);
                }
            }
        }
    }

    /// Between double quotes.
    fn quoted(&mut self, word: &mut Word) -> Result<(), Problem> {
        let before = word.len();
        loop {
            match self.peek().ok_or(Problem::Incomplete)? {
                b'"' => {
                    self.at += 1;
                    if word.len() == before {
                        word.push(Part::Empty);
                    }
                    return Ok(());
                }
                b'$' | b'`' => self.dollar(word, true)?,
                b'\\' => {
                    self.at += 1;
                    match self.next().ok_or(Problem::Incomplete)? {
                        b'\n' => {}
                        byte @ (b'$' | b'`' | b'"' | b'\\') => add(word, &[byte], false),
                        byte => add(word, &[b'\\', byte], false),
                    }
                }
                byte => {
                    self.at += 1;
                    add(word, &[byte], false);
                }
            }
        }
    }

    /// A parameter or a substitution.
    fn dollar(&mut self, word: &mut Word, quoted: bool) -> Result<(), Problem> {
        if self.next() == Some(b'`') {
            let text = self.until(b'`')?;
            word.push(Part::Substitution { text, quoted });
            return Ok(());
        }
        match self.peek() {
            Some(b'(') if self.text[self.at..].starts_with(b"((") => {
                return Err(Problem::Wrong("syntax error: arithmetic is not supported".into()));
            }
            Some(b'(') => {
                self.at += 1;
                let text = self.nested()?;
                word.push(Part::Substitution { text, quoted });
            }
            Some(b'{') => {
                self.at += 1;
                let inside = self.until(b'}')?;
                let end = inside.iter().position(|byte| !is_name(*byte)).unwrap_or(inside.len());
                let default = match &inside[end..] {
                    [] => None,
                    [b':', b'-', default @ ..] | [b'-', default @ ..] => Some(default.to_vec()),
                    _ => return Err(Problem::Wrong("syntax error: bad substitution".into())),
                };
                word.push(Part::Parameter { name: inside[..end].to_vec(), default, quoted });
            }
            Some(byte @ (b'?' | b'$' | b'#' | b'@' | b'*' | b'0'..=b'9')) => {
                self.at += 1;
                word.push(Part::Parameter { name: [byte].to_vec(), default: None, quoted });
            }
            Some(byte) if is_name(byte) => {
                let rest = &self.text[self.at..];
                let end = rest.iter().position(|byte| !is_name(*byte)).unwrap_or(rest.len());
                word.push(Part::Parameter { name: rest[..end].to_vec(), default: None, quoted });
                self.at += end;
            }
            _ => add(word, b"$", false),
        }
        Ok(())
    }

    /// Up to `end`, which is passed over.
    fn until(&mut self, end: u8) -> Result<Vec<u8>, Problem> {
        let rest = &self.text[self.at..];
        let length = rest.iter().position(|&byte| byte == end).ok_or(Problem::Incomplete)?;
        self.at += length + 1;
        Ok(rest[..length].to_vec())
    }

    /// Up to the parenthesis that closes, quotes and others inside left alone.
    fn nested(&mut self) -> Result<Vec<u8>, Problem> {
        let (start, mut depth) = (self.at, 1);
        loop {
            match self.next().ok_or(Problem::Incomplete)? {
                b'(' => depth += 1,
                b')' if depth == 1 => return Ok(self.text[start..self.at - 1].to_vec()),
                b')' => depth -= 1,
                b'\\' => self.at += 1,
                b'\'' => _ = self.until(b'\'')?,
                b'"' => self.quoted(&mut Word::new())?,
                _ => {}
            }
        }
    }
}

/// Whether a byte may be in a name.
pub fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn add(word: &mut Word, text: &[u8], quoted: bool) {
    match word.last_mut() {
        Some(Part::Text(before)) => before.extend_from_slice(text),
        _ if quoted && text.is_empty() => word.push(Part::Empty),
        _ => word.push(Part::Text(text.to_vec())),
    }
}
