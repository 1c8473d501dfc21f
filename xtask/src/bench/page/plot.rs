//! The plots, as SVG.

use anyhow::{Result, anyhow};
use plotters::{
    coord::{ranged1d::ValueFormatter, types::RangedCoordf64},
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

/// Text and axes.
pub const INK: RGBColor = RGBColor(0x10, 0x14, 0x18);
/// The grid.
const LINE: RGBColor = RGBColor(0xd0, 0xd4, 0xd8);
/// Series, told apart by people who see colours otherwise, too (Okabe and Ito's palette), on light and dark paper.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x2f, 0x8f, 0xd0),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0x8a, 0x8f, 0x98),
];
const WIDTH: u32 = 920;
/// Room for the labels of rows.
const LABELS: u32 = 250;
const ROW: u32 = 34;

/// A value with its interval.
#[derive(Clone, Copy, Debug)]
pub struct Dot {
    /// Which series it belongs to.
    pub series: usize,
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// One row of a plot.
pub struct Row<T> {
    pub label: String,
    pub values: Vec<T>,
}

/// Dots with intervals on a logarithmic axis, one row for each operation; `reference` is drawn as a line.
pub fn dots(series: &[&str], axis: &str, reference: Option<f64>, rows: &[Row<Dot>]) -> Result<String> {
    // Zero has no place on a logarithmic axis: plotters would look for it for ever.
    let all = || {
        let ends = rows.iter().flat_map(|row| &row.values).flat_map(|dot| [dot.low, dot.high]);
        ends.chain(reference).filter(|end| *end > 0.0 && end.is_finite())
    };
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max));
    // An axis without values has no ends.
    let (low, high) = if low < high { (low, high) } else { (1.0, 10.0) };
    let (from, to) = (low * 0.85, high * 1.15);
    let range = (from..to).log_scale();
    framed(series, rows.len(), |area| {
        let labels: Vec<_> = rows.iter().map(|row| row.label.as_str()).collect();
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .margin_right(24)
            .x_label_area_size(44)
            .y_label_area_size(LABELS)
            .build_cartesian_2d(range, 0.0..rows.len() as f64)
            .map_err(failed)?;
        mesh(&mut chart, axis)?;
        let place = |x: f64, row: usize| within(area, chart.backend_coord(&(x.max(from), middle_of(row, rows.len()))));
        name_rows(area, &labels, |row| place(from, row).1)?;
        if let Some(reference) = reference {
            let ends = [(reference, 0.0), (reference, rows.len() as f64)];
            let ends = ends.map(|end| within(area, chart.backend_coord(&end)));
            area.draw(&PathElement::new(ends, INK.stroke_width(1))).map_err(failed)?;
        }
        for (at, row) in rows.iter().enumerate() {
            for dot in &row.values {
                let colour = colour(dot.series);
                let shift = offset(dot.series, series.len());
                let [from, to, middle] = [dot.low, dot.high, dot.value].map(|x| place(x, at));
                let line = [(from.0, from.1 + shift), (to.0, to.1 + shift)];
                area.draw(&PathElement::new(line, colour.stroke_width(2))).map_err(failed)?;
                area.draw(&Circle::new((middle.0, middle.1 + shift), 4, colour.filled())).map_err(failed)?;
            }
        }
        Ok(())
    })
}

/// Bars made of parts; each row is one bar.
pub fn stacked(series: &[&str], axis: &str, rows: &[Row<f64>]) -> Result<String> {
    let most = rows.iter().map(|row| row.values.iter().sum::<f64>()).fold(1.0, f64::max);
    framed(series, rows.len(), |area| {
        let labels: Vec<_> = rows.iter().map(|row| row.label.as_str()).collect();
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .margin_right(24)
            .x_label_area_size(44)
            .y_label_area_size(LABELS)
            .build_cartesian_2d(0.0..most * 1.05, 0.0..rows.len() as f64)
            .map_err(failed)?;
        mesh(&mut chart, axis)?;
        let place = |x: f64, row: usize| within(area, chart.backend_coord(&(x, middle_of(row, rows.len()))));
        name_rows(area, &labels, |row| place(1.0, row).1)?;
        for (at, row) in rows.iter().enumerate() {
            let mut start = 0.0;
            for (part, value) in row.values.iter().enumerate() {
                let (from, to) = (place(start, at), place(start + value, at));
                let bar = Rectangle::new([(from.0, from.1 - 8), (to.0, to.1 + 8)], colour(part).filled());
                area.draw(&bar).map_err(failed)?;
                start += value;
            }
        }
        Ok(())
    })
}

/// A plot as a file of its own, which may be shown on a dark page: with paper below it.
pub fn with_paper(svg: &str) -> String {
    match svg.split_once(">\n") {
        Some((head, rest)) => format!("{head}>\n<rect width=\"100%\" height=\"100%\" fill=\"#FFFFFF\"/>\n{rest}"),
        None => svg.to_owned(),
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// A drawing with the legend on top.
fn framed(series: &[&str], rows: usize, draw: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<String> {
    let mut svg = String::new();
    {
        let height = u32::try_from(rows)?.max(1) * ROW + 90;
        let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        let (top, area) = root.split_vertically(28);
        let mut x = i32::try_from(LABELS)?;
        for (at, name) in series.iter().enumerate() {
            top.draw(&Circle::new((x, 15), 5, colour(at).filled())).map_err(failed)?;
            let style = text(14).pos(Pos::new(HPos::Left, VPos::Center));
            top.draw(&Text::new((*name).to_owned(), (x + 12, 15), style)).map_err(failed)?;
            x += 40 + i32::try_from(name.len())? * 8;
        }
        draw(&area)?;
        root.present().map_err(failed)?;
    }
    Ok(svg)
}

/// Where a row is, counted from the top.
fn middle_of(row: usize, rows: usize) -> f64 {
    rows as f64 - row as f64 - 0.5
}

/// A place of the whole drawing as one of `area`.
fn within(area: &Area<'_>, place: (i32, i32)) -> (i32, i32) {
    let (x, y) = area.get_pixel_range();
    (place.0 - x.start, place.1 - y.start)
}

/// Names of rows at their left, at the height in pixels that `height` tells.
fn name_rows(area: &Area<'_>, labels: &[&str], height: impl Fn(usize) -> i32) -> Result<()> {
    let left = i32::try_from(LABELS)? - 4;
    for (at, label) in labels.iter().enumerate() {
        let style = text(13).pos(Pos::new(HPos::Right, VPos::Center));
        area.draw(&Text::new((*label).to_owned(), (left, height(at)), style)).map_err(failed)?;
    }
    Ok(())
}

/// Grid and axes.
fn mesh<X>(chart: &mut ChartContext<'_, SVGBackend<'_>, Cartesian2d<X, RangedCoordf64>>, axis: &str) -> Result<()>
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(LINE)
        .axis_style(LINE)
        .y_labels(0)
        .x_label_formatter(&|x| number(*x))
        .x_desc(axis)
        .label_style(text(13))
        .axis_desc_style(text(13))
        .draw()
        .map_err(failed)
}

fn text(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

fn colour(series: usize) -> RGBColor {
    COLOURS[series % COLOURS.len()]
}

/// Pixels below the middle of a row, so that series do not hide each other.
fn offset(series: usize, all: usize) -> i32 {
    let [series, all] = [series, all].map(|n| i32::try_from(n).unwrap_or(0));
    (2 * series - (all - 1)) * 3
}

/// As short as it can be said.
fn number(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{} M", v / 1e6),
        v if v >= 1e3 => format!("{} k", v / 1e3),
        v if v >= 10.0 => format!("{v:.0}"),
        v => format!("{}", (v * 1000.0).round() / 1000.0),
    }
}

fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_and_series_is_in_the_drawing() {
        let dot = |series, value| Dot { series, value, low: value * 0.9, high: value * 1.1 };
        let row =
            |label: &str, value| Row { label: label.to_owned(), values: vec![dot(0, value), dot(1, 2.0 * value)] };
        let svg = dots(&["one", "two"], "ratio", Some(1.0), &[row("first", 1.0), row("second", 30.0)]).unwrap();
        for text in ["one", "two", "ratio", "first", "second"] {
            assert!(svg.contains(text), "{text}");
        }
        // A dot for each value, and one for each series in the legend.
        assert_eq!(svg.matches("<circle").count(), 6);
    }

    #[test]
    fn nothing_is_at_the_left_end() {
        let none = Dot { series: 0, value: 0.0, low: 0.0, high: 0.0 };
        let rows = [Row { label: "nothing".into(), values: vec![none, Dot { high: 5.0, ..none }] }];
        assert_eq!(dots(&["one"], "ns", None, &rows).unwrap().matches("<circle").count(), 3);
    }

    #[test]
    fn bars_begin_where_the_last_ended() {
        let rows = [Row { label: "a".into(), values: vec![1.0, 2.0] }];
        let svg = stacked(&["x", "y"], "n", &rows).unwrap();
        let bars: Vec<_> = svg.lines().filter(|line| line.starts_with("<rect")).collect();
        let field = |bar: &str, name: &str| -> i32 {
            bar.split_once(&format!(" {name}=\"")).unwrap().1.split('"').next().unwrap().parse().unwrap()
        };
        assert_eq!(bars.len(), 2, "{svg}");
        assert_eq!(field(bars[0], "x") + field(bars[0], "width"), field(bars[1], "x"));
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.5, 1.0, 100.0, 20_000.0].map(number), ["0.5", "1", "100", "20 k"]);
    }
}
