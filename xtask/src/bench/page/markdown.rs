//! The page as Markdown.

use super::document::{Block, Document, Mark, Table};

/// Writes the page; figures are files beside it.
pub fn render(document: &Document) -> String {
    let mut text = format!("# {}\n", document.title);
    for block in &document.blocks {
        text.push('\n');
        match block {
            Block::Heading(heading) => text += &format!("## {heading}\n"),
            Block::Text(paragraph) => text += &format!("{paragraph}\n"),
            Block::List(items) => items.iter().for_each(|item| text += &format!("- {item}\n")),
            Block::Table(one) => text += &table(one),
            Block::Figure(figure) => text += &format!("![{}]({})\n", figure.caption, figure.file),
        }
    }
    text
}

fn table(table: &Table) -> String {
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = row(table.head.iter().map(|title| escaped(title)).collect());
    text += &row(table.head.iter().map(|_| "---".to_owned()).collect());
    for cells in &table.rows {
        text += &row(cells
            .iter()
            .map(|cell| {
                let mark = match cell.mark {
                    Mark::None => "",
                    Mark::Noise => " (noise)",
                    Mark::Warning => " (!)",
                };
                let small = if cell.small.is_empty() { String::new() } else { format!(" ({})", cell.small) };
                escaped(&format!("{}{small}{mark}", cell.text))
            })
            .collect());
    }
    text
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::{
        super::document::{Cell, Figure},
        *,
    };

    #[test]
    fn tables_hold_text_small_print_and_marks() {
        let cells = vec![Cell::text("a|b"), Cell::number("1", 1.0).with_small("0–2").marked(Mark::Noise)];
        let table = Table { head: vec!["x".into(), "y".into()], rows: vec![cells] };
        let document = Document {
            title: "T".into(),
            blocks: vec![
                Block::Heading("H".into()),
                Block::Table(table),
                Block::Figure(Figure { file: "f.svg", caption: "c".into(), svg: String::new() }),
            ],
        };
        let expected = "# T\n\n## H\n\n| x | y |\n| --- | --- |\n| a\\|b | 1 (0–2) (noise) |\n\n![c](f.svg)\n";
        assert_eq!(render(&document), expected);
    }
}
