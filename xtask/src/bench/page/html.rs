//! The page as HTML: one file that needs nothing else.

use super::document::{Block, Cell, Document, Mark, Table};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// A cell without a number is of words when it is longer than a mark.
const WORDS: usize = 3;

/// Writes the page.
pub fn render(document: &Document) -> String {
    let body: String = document.blocks.iter().map(block).collect();
    let title = escaped(&document.title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{body}</main>\n<script>\n{SCRIPT}</script>\n\
         </body>\n</html>\n"
    )
}

fn block(block: &Block) -> String {
    match block {
        Block::Heading(heading) => format!("<h2>{}</h2>\n", escaped(heading)),
        Block::Text(text) => format!("<p>{}</p>\n", inline(text)),
        Block::List(items) => {
            let items: String = items.iter().map(|item| format!("<li>{}</li>\n", inline(item))).collect();
            format!("<ul>\n{items}</ul>\n")
        }
        Block::Table(one) => table(one),
        Block::Figure(figure) => {
            // Ink and grid of the plot follow the page's colours.
            let svg = figure.svg.replace("#101418", "var(--ink)").replace("#D0D4D8", "var(--line)");
            format!("<figure>\n{svg}\n<figcaption>{}</figcaption>\n</figure>\n", escaped(&figure.caption))
        }
    }
}

fn table(table: &Table) -> String {
    let head: String = table
        .head
        .iter()
        .map(|title| format!("<th><button type=\"button\">{}</button></th>", escaped(title)))
        .collect();
    let rows: String =
        table.rows.iter().map(|row| format!("<tr>{}</tr>\n", row.iter().map(cell).collect::<String>())).collect();
    format!("<div class=\"table\"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n")
}

fn cell(cell: &Cell) -> String {
    let class = match cell.mark {
        // Words begin at the left, numbers end at the right.
        Mark::None if cell.key.is_none() && cell.text.len() > WORDS => " class=\"words\"",
        Mark::None => "",
        Mark::Noise => " class=\"noise\" title=\"too noisy to say anything\"",
        Mark::Warning => " class=\"warning\"",
    };
    let key = cell.key.map(|key| format!(" data-key=\"{key}\"")).unwrap_or_default();
    // Each thing that is said on a line of its own.
    let said = cell.small.split("; ").filter(|one| !one.is_empty());
    let small: String = said.map(|one| format!("<small>{}</small>", escaped(one))).collect();
    format!("<td{class}{key}>{}{small}</td>", inline(&cell.text))
}

/// Text with `code` in it.
fn inline(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts
        .map(|(at, part)| if at % 2 == 1 { format!("<code>{}</code>", escaped(part)) } else { escaped(part) })
        .collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_taken_for_a_tag() {
        assert_eq!(inline("a < b & `c<d>`"), "a &lt; b &amp; <code>c&lt;d&gt;</code>");
        let cell = cell(&Cell::number("1", 1.5).with_small("x").marked(Mark::Warning));
        assert_eq!(cell, "<td class=\"warning\" data-key=\"1.5\">1<small>x</small></td>");
    }

    #[test]
    fn words_are_told_from_numbers() {
        assert!(cell(&Cell::text("read 1, write 2")).contains("words"));
        assert!(!cell(&Cell::text("–")).contains("words") && !cell(&Cell::number("1,000", 1000.0)).contains("words"));
    }

    #[test]
    fn the_page_needs_no_other_file() {
        let page = render(&Document { title: "T".into(), blocks: vec![Block::Text("t".into())] });
        for outside in ["http:", "https:", "src=", "href=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
}
