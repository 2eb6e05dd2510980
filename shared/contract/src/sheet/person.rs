//! Text of people in cells: a spreadsheet takes a cell that begins like a formula for one, and would run it.

/// What a spreadsheet takes for the beginning of a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Text as it may stand in a cell: with an apostrophe in front where a spreadsheet would take it for a formula.
pub fn safe_cell(text: &str) -> std::borrow::Cow<'_, str> {
    // An apostrophe in front of such a text is somebody's own: without another one it would be taken away again.
    let plain = text.trim_start_matches('\'');
    if plain.starts_with(FORMULA) { format!("'{text}").into() } else { text.into() }
}

/// The text that was meant by a cell: [`safe_cell`] undone.
pub fn typed_cell(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(text) if text.trim_start_matches('\'').starts_with(FORMULA) => text,
        _ => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_never_begins_like_a_formula_and_reads_back_as_it_was() {
        for text in ["=1+1", "+84", "-1", "@cmd", "\tx", "'=1", "''@x", "Lan", "'Lan", "", "D'Arc"] {
            let cell = safe_cell(text);
            assert!(!cell.starts_with(FORMULA), "{text:?} became {cell:?}");
            assert_eq!(typed_cell(&cell), text, "{text:?} became {cell:?}");
        }
        assert_eq!(safe_cell("=HYPERLINK(1)"), "'=HYPERLINK(1)");
    }
}
