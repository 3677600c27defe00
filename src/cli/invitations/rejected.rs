//! The rows that were rejected, each with its line and what is wrong, as a table to correct and import.

use super::table::{Charset, Row};
use crate::intake::invitations::Problem;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The columns in front of the row's own; an import passes over them.
pub(super) const COLUMNS: [&str; 2] = ["rejectedLine", "rejectedBecause"];

/// Rejected rows, until they are written.
pub(super) struct Rejected {
    table: csv::Writer<Vec<u8>>,
    places: Vec<usize>,
    count: usize,
}

impl Rejected {
    /// Of a table with this header.
    ///
    /// # Errors
    /// For want of memory.
    pub(super) fn new(header: &[String]) -> csv::Result<Rejected> {
        let own = |name: &str| !COLUMNS.contains(&name);
        let places = header.iter().enumerate().filter(|(_, name)| own(name));
        let places: Vec<usize> = places.map(|(place, _)| place).collect();
        let mut table = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        let names = places.iter().filter_map(|place| header.get(*place)).map(String::as_str);
        table.write_record(COLUMNS.into_iter().chain(names))?;
        Ok(Rejected { table, places, count: 0 })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Adds a row.
    ///
    /// # Errors
    /// For want of memory.
    pub(super) fn add(&mut self, row: &Row, problems: &[Problem]) -> csv::Result<()> {
        let told = problems.iter().map(|it| format!("{}: {}; {}", it.field, it.wrong, it.right));
        let told = told.collect::<Vec<_>>().join(" | ");
        // A row with a wrong count of cells is given back as it came.
        let cells: Vec<&str> = match row.item {
            Ok(_) => {
                let cell = |place: &usize| row.cells.get(*place).map(String::as_str);
                self.places.iter().filter_map(cell).collect()
            }
            Err(_) => row.cells.iter().map(String::as_str).collect(),
        };
        let line = row.line.to_string();
        self.table.write_record([line.as_str(), &told].into_iter().chain(cells))?;
        self.count += 1;
        Ok(())
    }

    /// Writes them beside the file, for its owner only, since they hold personal data. `None`: there
    /// are none.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub(super) fn write(self, file: &Path, charset: Charset) -> io::Result<Option<PathBuf>> {
        if self.count == 0 {
            return Ok(None);
        }
        let mut path = file.as_os_str().to_owned();
        path.push(".rejected.csv");
        let path = PathBuf::from(path);
        let table = self.table.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        let text = String::from_utf8(table).map_err(io::Error::other)?;
        let mut open = File::options();
        let mut file = open.write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(&charset.encode(&text))?;
        file.sync_all()?;
        Ok(Some(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::invitations::table::Table;

    #[test]
    fn a_rejected_row_is_given_back_with_its_line_and_can_be_imported_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("in.csv");
        let text = "rejectedLine,id,mobile,channel,taskName\n7,i-1,x,sms,\"办,\"\"证\"\n8,i-2\n";
        let mut table = Table::open(text).expect("a table");
        let mut rejected = Rejected::new(table.header()).expect("begun");
        let problem = Problem::new("mobile", "is not a telephone number", "write digits");
        for row in table.next(10).expect("rows") {
            let problems = row.item.as_ref().err().cloned().unwrap_or_else(|| problem.clone());
            rejected.add(&row, &[problems]).expect("added");
        }
        let path = rejected.write(&file, Charset::Gbk).expect("written").expect("a file");
        assert_eq!(path, directory.path().join("in.csv.rejected.csv"));
        let bytes = std::fs::read(path).expect("it is there");
        let text = Charset::Gbk.decode(&bytes).expect("text");
        let expected = "rejectedLine,rejectedBecause,id,mobile,channel,taskName\n\
                        2,mobile: is not a telephone number; write digits,i-1,x,sms,\"办,\"\"证\"\n\
                        3,\"item: cells: 2, where the header has 5; quote what holds a comma, and leave \
                        no cell out\",8,i-2\n";
        assert_eq!(text, expected);
        let mut again = Table::open(&text).expect("a table");
        let rows = again.next(10).expect("rows");
        let item = rows[0].item.as_ref().expect("an item");
        assert_eq!((item.len(), item["taskName"].as_str()), (4, Some("办,\"证")));
    }

    #[test]
    fn without_rejected_rows_there_is_no_file() {
        let rejected = Rejected::new(&["id".to_owned()]).expect("begun");
        assert_eq!(
            rejected.write(Path::new("/nowhere/in.csv"), Charset::Utf8).expect("none"),
            None
        );
    }
}
