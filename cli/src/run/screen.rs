//! What people see. On a terminal one block (table, concerns, a footer) is drawn again and again in its place; elsewhere the table
//! is printed once, and then a line for every transition.

use std::io::{self, IsTerminal, Write};

use jiff::Timestamp;

use super::table::{self, Style};
use super::world::Row;

mod text;

use text::{cut, wrap};

/// What is to be seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct View {
    pub(crate) rows: Vec<Row>,
    /// What a person should mend.
    pub(crate) concerns: Vec<String>,
    /// Below the table, on a terminal only.
    pub(crate) footer: String,
}

/// Where it is shown.
pub(crate) struct Screen<W> {
    out: W,
    manner: Manner,
}

enum Manner {
    Live(Block),
    Lines {
        /// None before the first.
        last: Option<View>,
    },
    /// Another output is on this stream: only what is said goes out, and not here.
    Aside,
}

/// What stands on the terminal.
#[derive(Default)]
struct Block {
    lines: Vec<String>,
    /// Lines that the person's own typing added below.
    typed: usize,
    style: Option<Style>,
}

/// Width and height of a terminal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Size {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

impl Default for Size {
    fn default() -> Self {
        Self {
            columns: 120,
            rows: 40,
        }
    }
}

impl Screen<io::Stdout> {
    /// The process's standard output. `aside` when something else is printed there.
    pub(crate) fn of_process(aside: bool) -> Self {
        let out = io::stdout();
        if aside {
            return Self {
                out,
                manner: Manner::Aside,
            };
        }
        if !out.is_terminal() {
            return Self {
                out,
                manner: Manner::Lines { last: None },
            };
        }
        let plain = std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty());
        let style = if plain { Style::Plain } else { Style::Coloured };
        Self {
            out,
            manner: Manner::Live(Block {
                style: Some(style),
                ..Block::default()
            }),
        }
    }

    /// How large it is now.
    pub(crate) fn size(&self) -> Size {
        let size = rustix::termios::tcgetwinsize(&self.out)
            .ok()
            .filter(|size| size.ws_col > 0 && size.ws_row > 0);
        size.map_or_else(Size::default, |size| Size {
            columns: size.ws_col.into(),
            rows: size.ws_row.into(),
        })
    }
}

impl<W: Write> Screen<W> {
    /// Says something that stays.
    pub(crate) fn say(&mut self, said: &[String]) -> io::Result<()> {
        let text: String = said.iter().map(|line| format!("{line}\n")).collect();
        match &mut self.manner {
            Manner::Live(block) => {
                let erase = block.erase();
                let again: String = block.lines.iter().map(|line| format!("{line}\n")).collect();
                self.out.write_all(format!("{erase}{text}{again}").as_bytes())?;
            }
            Manner::Lines { .. } => self.out.write_all(text.as_bytes())?,
            Manner::Aside => io::stderr().write_all(text.as_bytes())?,
        }
        self.out.flush()
    }

    /// Prints something for programs or for pasting.
    pub(crate) fn print(&mut self, text: &str) -> io::Result<()> {
        match &self.manner {
            Manner::Live(_) => self.say(&text.lines().map(str::to_owned).collect::<Vec<_>>()),
            Manner::Lines { .. } | Manner::Aside => {
                self.out.write_all(text.as_bytes())?;
                self.out.flush()
            }
        }
    }

    /// Shows how things are now.
    pub(crate) fn draw(&mut self, view: &View, size: Size, now: Timestamp) -> io::Result<()> {
        match &mut self.manner {
            Manner::Live(block) => {
                let lines = layout(view, size, block.style.unwrap_or(Style::Plain));
                if lines != block.lines || block.typed > 0 {
                    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
                    let erase = block.erase();
                    self.out.write_all(format!("{erase}{text}").as_bytes())?;
                    block.lines = lines;
                }
            }
            Manner::Lines { last } => {
                let lines = match last {
                    None => table::lines(&view.rows, Style::Plain)
                        .into_iter()
                        .chain(concerns(&[], view, now))
                        .collect(),
                    Some(last) => changes(last, view, now),
                };
                *last = Some(view.clone());
                let text: String = lines.iter().map(|line: &String| format!("{line}\n")).collect();
                self.out.write_all(text.as_bytes())?;
            }
            Manner::Aside => {}
        }
        self.out.flush()
    }

    /// The person typed a line: what was drawn stands one line higher than it was.
    pub(crate) fn typed(&mut self) {
        if let Manner::Live(block) = &mut self.manner {
            block.typed += 1;
        }
    }

    /// Leaves the last picture standing; where there is none, prints the table once more.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        match &mut self.manner {
            Manner::Live(block) => block.lines.clear(),
            Manner::Lines { last: Some(view) } => {
                let lines: String = table::lines(&view.rows, Style::Plain)
                    .iter()
                    .map(|line| format!("{line}\n"))
                    .collect();
                self.out.write_all(lines.as_bytes())?;
            }
            Manner::Lines { last: None } | Manner::Aside => {}
        }
        self.out.flush()
    }
}

impl Block {
    /// Back to where the block begins, everything below wiped.
    fn erase(&mut self) -> String {
        let up = self.lines.len() + std::mem::take(&mut self.typed);
        if up == 0 {
            String::new()
        } else {
            format!("\x1b[{up}A\r\x1b[J")
        }
    }
}

/// The block, no line wider and the whole no taller than the terminal: what scrolled away cannot be drawn over.
fn layout(view: &View, size: Size, style: Style) -> Vec<String> {
    let width = size.columns.max(20);
    let mut below = Vec::new();
    for concern in &view.concerns {
        below.extend(wrap("! ", concern, width));
    }
    if !view.footer.is_empty() {
        below.push(cut(&view.footer, width));
    }
    let table = table::lines(&view.rows, style);
    let height = size.rows.max(4) - 1;
    let room = height.saturating_sub(below.len()).max(2);
    let shown = if table.len() > room { room - 1 } else { table.len() };
    let hidden = table.len() - shown;
    let mut lines: Vec<String> = table.iter().take(shown).map(|line| cut(line, width)).collect();
    if hidden > 0 {
        lines.push(cut(
            &format!("and {hidden} more; s and Enter shows them all"),
            width,
        ));
    }
    lines.extend(below);
    lines.truncate(height);
    lines
}

/// What changed between two views, as lines.
fn changes(last: &View, view: &View, now: Timestamp) -> Vec<String> {
    let time = clock(now);
    let mut lines = Vec::new();
    for row in &view.rows {
        let before = last.rows.iter().find(|old| same_place(old, row));
        if before.is_some_and(|old| old.state == row.state && old.reason == row.reason) {
            continue;
        }
        let left = row
            .left
            .map(|left| format!(", {} left", table::left(left)))
            .unwrap_or_default();
        let was = before.map_or_else(
            || "new".into(),
            |old| format!("was {} ({})", old.state, old.reason),
        );
        lines.push(format!(
            "{time} {}: {} ({}){left}; {was}",
            place(row),
            row.state,
            row.reason
        ));
    }
    for row in last
        .rows
        .iter()
        .filter(|old| !view.rows.iter().any(|row| same_place(old, row)))
    {
        lines.push(format!("{time} {}: gone", place(row)));
    }
    lines.extend(concerns(&last.concerns, view, now));
    lines
}

fn concerns(before: &[String], view: &View, now: Timestamp) -> Vec<String> {
    let new = view.concerns.iter().filter(|concern| !before.contains(concern));
    new.map(|concern| format!("{} ! {concern}", clock(now))).collect()
}

fn same_place(one: &Row, other: &Row) -> bool {
    one.group == other.group && one.member == other.member && one.key == other.key
}

fn place(row: &Row) -> String {
    let parts = [&row.group, &row.member, &row.key].map(String::as_str);
    parts
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The time of day, in UTC as in the statuses.
pub(crate) fn clock(now: Timestamp) -> String {
    now.strftime("%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests;
