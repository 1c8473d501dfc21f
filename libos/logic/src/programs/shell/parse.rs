//! From tokens to commands (XCU 2.10, shell grammar).

use super::DEPTH_MAX;
use super::lex::{Part, Problem, Token, Word, is_name, tokens};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// When a pipeline of a list is performed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    Always,
    /// `&&`
    AfterSuccess,
    /// `||`
    AfterFailure,
}

/// Pipelines, one after the other.
pub type List = Vec<(Join, Pipeline)>;

/// Commands of which each reads what the one before writes.
#[derive(Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// `!`
    pub negated: bool,
    pub commands: Vec<Command>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Command {
    pub kind: Kind,
    pub redirections: Vec<Redirection>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// Assignments, then a name and arguments.
    Simple { assignments: Vec<(Vec<u8>, Word)>, words: Vec<Word> },
    /// `( ... )`
    Subshell(List),
    /// `{ ...; }`
    Group(List),
}

#[derive(Debug, PartialEq, Eq)]
pub struct Redirection {
    /// Which stream: 0, 1 or 2.
    pub fd: u8,
    pub operator: &'static str,
    pub target: Word,
}

/// What became of a text.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Done(List),
    /// More must come.
    Incomplete,
    /// What is wrong, for people.
    Wrong(String),
}

/// Words that begin what is not there.
const UNSUPPORTED: [&[u8]; 8] = [b"if", b"for", b"while", b"until", b"case", b"function", b"select", b"[["];

/// Parses all of `text`.
pub fn parse(text: &[u8]) -> Outcome {
    let result = tokens(text).and_then(|tokens| {
        let mut parser = Parser { tokens: &tokens, at: 0, depth: 0 };
        let list = parser.list()?;
        match parser.peek() {
            None => Ok(list),
            Some(token) => Err(unexpected(token)),
        }
    });
    match result {
        Ok(list) => Outcome::Done(list),
        Err(Problem::Incomplete) => Outcome::Incomplete,
        Err(Problem::Wrong(problem)) => Outcome::Wrong(problem),
    }
}

fn unexpected(token: &Token) -> Problem {
    let what = match token {
        Token::Operator("\n") => "newline".to_string(),
        Token::Operator(operator) => alloc::format!("\"{operator}\""),
        Token::Number(number) => alloc::format!("\"{number}\""),
        Token::Word(word) => alloc::format!("\"{}\"", String::from_utf8_lossy(plain(word).unwrap_or(b"word"))),
    };
    Problem::Wrong(alloc::format!("syntax error: {what} unexpected"))
}

/// A word of unquoted text only.
fn plain(word: &[Part]) -> Option<&[u8]> {
    match word {
        [Part::Text(text)] => Some(text),
        _ => None,
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at)
    }

    fn accept(&mut self, operator: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Operator(other)) if *other == operator);
        self.at += usize::from(found);
        found
    }

    fn newlines(&mut self) {
        while self.accept("\n") {}
    }

    fn is_word(&self, text: &[u8]) -> bool {
        matches!(self.peek(), Some(Token::Word(word)) if plain(word) == Some(text))
    }

    /// Up to the end, or to what closes a group.
    fn list(&mut self) -> Result<List, Problem> {
        let mut list = List::new();
        let mut join = Join::Always;
        loop {
            if join == Join::Always {
                while self.accept("\n") {}
            } else {
                self.newlines();
            }
            match self.peek() {
                None if join == Join::Always => return Ok(list),
                None => return Err(Problem::Incomplete),
                Some(Token::Operator(")")) if join == Join::Always => return Ok(list),
                Some(_) if join == Join::Always && self.is_word(b"}") => return Ok(list),
                Some(_) => list.push((join, self.pipeline()?)),
            }
            join = if self.accept("&&") {
                Join::AfterSuccess
            } else if self.accept("||") {
                Join::AfterFailure
            } else if self.accept(";") || self.accept("\n") {
                Join::Always
            } else {
                return Ok(list);
            };
        }
    }

    fn pipeline(&mut self) -> Result<Pipeline, Problem> {
        let mut negated = false;
        while self.is_word(b"!") {
            self.at += 1;
            negated = !negated;
        }
        let mut commands = Vec::new();
        loop {
            commands.push(self.command()?);
            if !self.accept("|") {
                return Ok(Pipeline { negated, commands });
            }
            self.newlines();
        }
    }

    fn command(&mut self) -> Result<Command, Problem> {
        if let Some(Token::Word(word)) = self.peek()
            && let Some(text) = plain(word).filter(|text| UNSUPPORTED.contains(text))
        {
            let name = String::from_utf8_lossy(text);
            return Err(Problem::Wrong(alloc::format!("syntax error: {name} is not supported by this shell")));
        }
        let kind = if self.accept("(") {
            Some(Kind::Subshell(self.inside(|parser| parser.accept(")"))?))
        } else if self.is_word(b"{") {
            self.at += 1;
            let close = |parser: &mut Self| {
                let found = parser.is_word(b"}");
                parser.at += usize::from(found);
                found
            };
            Some(Kind::Group(self.inside(close)?))
        } else {
            None
        };
        match kind {
            Some(kind) => {
                let mut redirections = Vec::new();
                while let Some(redirection) = self.redirection()? {
                    redirections.push(redirection);
                }
                Ok(Command { kind, redirections })
            }
            None => self.simple(),
        }
    }

    fn inside(&mut self, close: impl Fn(&mut Self) -> bool) -> Result<List, Problem> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Problem::Wrong("syntax error: too many groups in one another".into()));
        }
        let list = self.list()?;
        if self.peek().is_none() {
            return Err(Problem::Incomplete);
        }
        if list.is_empty() || !close(self) {
            return Err(self.peek().map_or(Problem::Incomplete, unexpected));
        }
        self.depth -= 1;
        Ok(list)
    }

    fn simple(&mut self) -> Result<Command, Problem> {
        let (mut assignments, mut words, mut redirections) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            if let Some(redirection) = self.redirection()? {
                redirections.push(redirection);
                continue;
            }
            let Some(Token::Word(word)) = self.peek() else { break };
            self.at += 1;
            match assignment(word).filter(|_| words.is_empty()) {
                Some(assignment) => assignments.push(assignment),
                None => words.push(word.clone()),
            }
        }
        if assignments.is_empty() && words.is_empty() && redirections.is_empty() {
            return Err(self.peek().map_or(Problem::Incomplete, unexpected));
        }
        Ok(Command { kind: Kind::Simple { assignments, words }, redirections })
    }

    fn redirection(&mut self) -> Result<Option<Redirection>, Problem> {
        let start = self.at;
        let number = match self.peek() {
            Some(Token::Number(number)) => {
                self.at += 1;
                Some(*number)
            }
            _ => None,
        };
        let operator = match self.peek() {
            Some(Token::Operator(operator @ ("<" | ">" | ">>" | "<&" | ">&"))) => *operator,
            _ => {
                self.at = start;
                return Ok(None);
            }
        };
        self.at += 1;
        let fd = number.unwrap_or(if operator.starts_with('<') { 0 } else { 1 });
        if fd > 2 {
            return Err(Problem::Wrong(alloc::format!(
                "syntax error: only descriptors 0, 1 and 2 are there, not {fd}"
            )));
        }
        match self.peek() {
            Some(Token::Word(target)) => {
                self.at += 1;
                Ok(Some(Redirection { fd, operator, target: target.clone() }))
            }
            Some(token) => Err(unexpected(token)),
            None => Err(Problem::Incomplete),
        }
    }
}

/// `NAME=...`
fn assignment(word: &[Part]) -> Option<(Vec<u8>, Word)> {
    let (Part::Text(text), rest) = word.split_first()? else { return None };
    let equals = text.iter().position(|&byte| byte == b'=')?;
    let (name, value) = (&text[..equals], &text[equals + 1..]);
    if name.is_empty() || name[0].is_ascii_digit() || !name.iter().all(|&byte| is_name(byte)) {
        return None;
    }
    let first = if value.is_empty() { Part::Empty } else { Part::Text(value.to_vec()) };
    Some((name.to_vec(), [&[first], rest].concat()))
}
