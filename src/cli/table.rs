//! Rows under headings, in columns as wide as they need be.

use crate::domain::shown;

/// Draws them. The last column is not filled up, so that no line ends in blanks.
pub(super) fn draw<const N: usize>(
    headings: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut lines = vec![headings.map(str::to_owned)];
    lines.extend(rows.into_iter().map(|row| row.map(|cell| shown(&cell).into_owned())));
    let width = |column: usize| {
        lines.iter().map(|line| console::measure_text_width(&line[column])).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            let width = if column + 1 == N { 0 } else { *width };
            console::pad_str(cell, width, console::Alignment::Left, None).into_owned()
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::draw;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["long name".to_owned(), "x".to_owned()], ["ö".to_owned(), String::new()]];
        assert_eq!(draw(["A", "B"], rows), "A          B\nlong name  x\nö\n");
    }
}
