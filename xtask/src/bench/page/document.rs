//! A page before it is Markdown or HTML, so that both say the same.

/// A page.
pub struct Document {
    pub title: String,
    pub blocks: Vec<Block>,
}

/// A piece of a page.
pub enum Block {
    Heading(String),
    Text(String),
    List(Vec<String>),
    Table(Table),
    Figure(Figure),
}

/// A table.
#[derive(Default)]
pub struct Table {
    pub head: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
}

/// A cell: what is in it, what is said beside it in small print, and what it sorts by.
#[derive(Clone, Default)]
pub struct Cell {
    pub text: String,
    pub small: String,
    pub key: Option<f64>,
    pub mark: Mark,
}

/// What a reader should see at once.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Mark {
    #[default]
    None,
    /// Chance had too much part in it.
    Noise,
    /// Something that asks for an explanation.
    Warning,
}

/// A plot.
pub struct Figure {
    /// The file beside the page.
    pub file: &'static str,
    pub caption: String,
    pub svg: String,
}

impl Cell {
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    pub fn number(text: impl Into<String>, key: f64) -> Self {
        Self { text: text.into(), key: Some(key), ..Self::default() }
    }

    pub fn with_small(self, small: impl Into<String>) -> Self {
        Self { small: small.into(), ..self }
    }

    pub fn marked(self, mark: Mark) -> Self {
        Self { mark, ..self }
    }
}
