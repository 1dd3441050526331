//! Lines that fit.

/// Cuts a line to a width. Colours count nothing, and end with the line.
pub(super) fn cut(line: &str, width: usize) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut seen = 0;
    let mut coloured = false;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\x1b' {
            shown.push(character);
            for part in characters.by_ref() {
                shown.push(part);
                if part.is_ascii_alphabetic() {
                    break;
                }
            }
            coloured = !shown.ends_with("\x1b[0m");
        } else if seen == width {
            break;
        } else {
            shown.push(character);
            seen += 1;
        }
    }
    if coloured {
        shown.push_str("\x1b[0m");
    }
    shown
}

/// Breaks a text into lines at its spaces; those after the first are indented as far as `mark` is long.
pub(super) fn wrap(mark: &str, text: &str, width: usize) -> Vec<String> {
    let indent = " ".repeat(mark.chars().count());
    let mut lines = Vec::new();
    let mut line = String::from(mark);
    let mut empty = true;
    for word in text.split_whitespace() {
        let longer = line.chars().count() + word.chars().count() + usize::from(!empty);
        if longer > width && !empty {
            lines.push(cut(&line, width));
            line.clone_from(&indent);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(cut(&line, width));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_without_their_colours() {
        assert_eq!(cut("abcdef", 3), "abc");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("\x1b[32mabc\x1b[0mdef", 4), "\x1b[32mabc\x1b[0md");
        assert_eq!(cut("\x1b[32mabcdef\x1b[0m", 2), "\x1b[32mab\x1b[0m");
    }

    #[test]
    fn texts_break_at_spaces() {
        assert_eq!(
            wrap("! ", "one two three four", 10),
            ["! one two", "  three", "  four"]
        );
        assert_eq!(wrap("! ", "unbreakable-word x", 8), ["! unbrea", "  x"]);
        assert_eq!(wrap("! ", "", 8), ["! "]);
    }
}
