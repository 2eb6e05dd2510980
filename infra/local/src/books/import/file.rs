//! The CSV file of an import, line by line, and the file of what could not be taken.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Chain, Read, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ReaderBuilder, Writer};
use loyalty_contract::sheet::{Cells, Header, HeaderError};

use crate::error::{Context, Result, StackError};

/// A longer line is no row of members.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// One row as it stands in the file.
#[derive(Clone, Debug)]
pub struct Line {
    pub number: u64,
    record: ByteRecord,
}

/// The rows of a file.
pub struct Lines {
    pub header: Header,
    /// The header's cells as they are written.
    pub titles: Vec<String>,
    pub bytes: u64,
    /// What ends its lines. Of CR and LF the reader leaves the LF to the next row.
    end: &'static str,
    reader: csv::Reader<BufReader<Chain<File, &'static [u8]>>>,
    ended: bool,
}

impl Lines {
    /// Opens a file and reads its header as one of the sheet whose columns `read` knows.
    ///
    /// # Errors
    /// When it cannot be read, or its header is none of that sheet.
    pub fn open(path: &Path, read: fn(&[String]) -> std::result::Result<Header, HeaderError>) -> Result<Self> {
        let shown = path.display();
        let about = || format!("cannot read {shown}");
        let mut file = File::open(path).context(about)?;
        let bytes = file.metadata().context(about)?.len();
        let mut first = Vec::new();
        std::io::Read::take(BufReader::new(&mut file), LINE_BYTES_MAX as u64)
            .read_until(b'\n', &mut first)
            .context(about)?;
        file.rewind().context(about)?;
        let end = if first.ends_with(b"\r\n") { "\r\n" } else { "\n" };
        // The last line may lack its end.
        let whole = BufReader::new(file.chain(end.as_bytes()));
        let mut reader = ReaderBuilder::new().delimiter(delimiter(&first)).flexible(true).from_reader(whole);
        let titles = reader.headers().context(|| format!("{shown} is not UTF-8: save it as \"CSV UTF-8\""))?;
        let titles: Vec<String> = titles.iter().map(str::to_owned).collect();
        let header = read(&titles).context(|| format!("cannot use {shown}"))?;
        Ok(Self { header, titles, bytes, end, reader, ended: false })
    }

    /// The next row; blank ones are passed over.
    ///
    /// # Errors
    /// When the file cannot be read any further.
    pub fn next(&mut self) -> Result<Option<Line>> {
        let mut record = ByteRecord::new();
        while self.reader.read_byte_record(&mut record).context(|| "cannot read on".to_owned())? {
            if record.iter().any(|cell| !cell.trim_ascii().is_empty()) {
                // Counted from its end: where it begins, the reader has yet to pass the blank lines before it.
                let within = record.as_slice().iter().filter(|byte| **byte == b'\n').count();
                let number = self.reader.position().line() - within as u64 - u64::from(self.end == "\n");
                return Ok(Some(Line { number, record }));
            }
        }
        self.ended = true;
        Ok(None)
    }

    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Bytes read so far.
    pub fn position(&self) -> u64 {
        self.reader.position().byte()
    }

    /// The cells of a row, or why it has none.
    pub fn cells<'a>(&self, line: &'a Line) -> std::result::Result<Cells<'a>, String> {
        let (width, found) = (self.header.width(), line.record.len());
        if found != width {
            return Err(format!("has {found} cells where the header has {width}"));
        }
        if line.record.as_slice().len() > LINE_BYTES_MAX {
            return Err(format!("is longer than {LINE_BYTES_MAX} bytes: is a quotation mark missing?"));
        }
        let cells: Option<Vec<&str>> = line.record.iter().map(|cell| std::str::from_utf8(cell).ok()).collect();
        let cells = cells.ok_or("is not UTF-8: save the file as \"CSV UTF-8\"")?;
        Ok(self.header.cells(cells.into_iter()))
    }
}

/// What separates the header's cells. Spreadsheets set to Vietnamese write semicolons.
fn delimiter(header: &[u8]) -> u8 {
    let count = |delimiter: u8| header.iter().filter(|byte| **byte == delimiter).count();
    // The first of equals is the comma.
    [b'\t', b';', b','].into_iter().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}

/// Rows that could not be taken: as they were, with the line they stood on and the reason in front. The file is made with
/// the first of them, for its owner alone, and can be imported once it is corrected.
pub struct Rejects {
    path: PathBuf,
    titles: Vec<String>,
    writer: Option<Writer<File>>,
}

impl Rejects {
    pub fn new(path: PathBuf, titles: &[String]) -> Self {
        // Rows that are rejected again carry the line and the reason of the last time.
        Self { path, titles: titles.to_vec(), writer: None }
    }

    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, line: &Line, reason: &str) -> Result<()> {
        let shown = self.path.display().to_string();
        let about = || format!("cannot write {shown}");
        let own = |title: &str| matches!(title.trim().trim_start_matches('\u{feff}'), "line" | "reason");
        if self.writer.is_none() {
            let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.path);
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(file.context(about)?);
            let titles = self.titles.iter().map(String::as_str).filter(|title| !own(title));
            writer.write_record(["line", "reason"].into_iter().chain(titles)).context(about)?;
            self.writer = Some(writer);
        }
        let Some(writer) = &mut self.writer else { return Err(StackError::new(about())) };
        let number = line.number.to_string();
        let cells = line.record.iter().enumerate();
        let cells = cells.filter(|(at, _)| !self.titles.get(*at).is_some_and(|title| own(title)));
        let row = [number.as_bytes(), reason.as_bytes()].into_iter().chain(cells.map(|(_, cell)| cell));
        writer.write_record(row).context(about)
    }

    /// Where nothing was rejected, what an earlier run left there is over.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(&mut self) -> Result<()> {
        let shown = self.path.display();
        match &mut self.writer {
            Some(writer) => writer.flush().context(|| format!("cannot write {shown}")),
            None if are_rejects(&self.path) => {
                std::fs::remove_file(&self.path).context(|| format!("cannot remove {shown}, of an earlier run"))
            }
            None => Ok(()),
        }
    }
}

/// Whether a file is one that [`Rejects`] wrote.
fn are_rejects(path: &Path) -> bool {
    let mut begins = [0; b"line,reason".len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut begins)).is_ok() && begins == *b"line,reason"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_of_an_earlier_run_are_over_and_nothing_else_is() {
        let place = tempfile::tempdir().unwrap();
        for (text, stays) in [("line,reason,phone\n2,no,1\n", false), ("phone,name\n1,Lan\n", true), ("", true)] {
            let file = place.path().join("a.rejects.csv");
            std::fs::write(&file, text).unwrap();
            Rejects::new(file.clone(), &[]).finish().unwrap();
            assert_eq!(file.exists(), stays, "{text:?}");
        }
        Rejects::new(place.path().join("none"), &[]).finish().unwrap();
    }

    #[test]
    fn a_row_has_the_number_of_its_line_however_lines_end() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("a.csv");
        for (end, last) in [("\n", ""), ("\n", "\n"), ("\r\n", ""), ("\r\n", "\r\n")] {
            let text = ["phone,name", "1,Lan", "", "2,\"Lan", "Anh\"", "3,Hoa", "4,Mai"].join(end);
            std::fs::write(&file, text + last).unwrap();
            let mut lines = Lines::open(&file, |titles| Header::of_members(titles.iter().map(String::as_str))).unwrap();
            let numbers: Vec<u64> = std::iter::from_fn(|| lines.next().unwrap()).map(|line| line.number).collect();
            assert_eq!(numbers, [2, 4, 6, 7], "{end:?} {last:?}");
        }
    }

    #[test]
    fn the_header_tells_what_separates_cells() {
        assert_eq!(delimiter(b"phone,name,tier"), b',');
        assert_eq!(delimiter("Số điện thoại;Họ tên;Ghi chú, thêm".as_bytes()), b';');
        assert_eq!(delimiter(b"phone\tname"), b'\t');
        assert_eq!(delimiter(b"phone"), b',');
    }
}
