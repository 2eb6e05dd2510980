//! How long work is shown: as a bar, or as a line now and then where there is no terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

const LINE_EVERY: Duration = Duration::from_secs(10);

/// A bar in the given style ([`ProgressStyle::with_template`]), towards `length` where that is known. Where standard error
/// is no terminal, a line begins with `what` every ten seconds until the bar is finished or gone.
pub fn bar(what: &'static str, length: Option<u64>, style: &'static str) -> ProgressBar {
    let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    if bar.is_hidden() {
        let weak = bar.downgrade();
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(LINE_EVERY);
                match weak.upgrade().filter(|bar| !bar.is_finished()) {
                    Some(bar) => eprintln!("{}", line(what, &bar)),
                    None => break,
                }
            }
        });
    }
    bar
}

/// How far it is, in words.
fn line(what: &str, bar: &ProgressBar) -> String {
    let position = bar.position();
    let far = match bar.length() {
        Some(length) => format!("{} %", position.saturating_mul(100) / length.max(1)),
        None => format!("{position} rows"),
    };
    let message = bar.message();
    if message.is_empty() { format!("{what}: {far}") } else { format!("{what}: {far}, {message}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_is() {
        let bar = ProgressBar::hidden();
        bar.set_position(1_200);
        assert_eq!(line("export", &bar), "export: 1200 rows");
        bar.set_length(3_600);
        bar.set_message("7 rejected");
        assert_eq!(line("import", &bar), "import: 33 %, 7 rejected");
        bar.set_length(0);
        bar.set_position(0);
        bar.set_message("");
        assert_eq!(line("import", &bar), "import: 0 %");
    }
}
