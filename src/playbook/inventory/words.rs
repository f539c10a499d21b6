//! A line cut into words as Ansible cuts it, which is how Python's `shlex` does: quotes, escapes, and
//! a comment from any `#` outside of quotes.

/// A word, and the bytes of the line that it stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What the cutting is in the middle of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Between,
    Word,
    Quoted(char),
    /// Behind a backslash, inside a quote or not.
    Escaped(Option<char>),
}

/// The words of a line; else what keeps it from being cut.
pub(super) fn words(line: &str) -> Result<Vec<Word>, &'static str> {
    let mut words: Vec<Word> = Vec::new();
    let mut state = State::Between;
    for (at, sign) in line.char_indices() {
        match (state, sign) {
            (State::Between | State::Word, '#') => {
                state = State::Between;
                break;
            }
            (State::Between | State::Word, ' ' | '\t' | '\r' | '\n') => {
                state = State::Between;
                continue;
            }
            (State::Between, _) => {
                words.push(Word { text: String::new(), start: at, end: at });
            }
            (State::Word | State::Quoted(_) | State::Escaped(_), _) => {}
        }
        let Some(word) = words.last_mut() else { continue };
        word.end = at + sign.len_utf8();
        state = match (state, sign) {
            (State::Between | State::Word, '\\') => State::Escaped(None),
            (State::Between | State::Word, '"' | '\'') => State::Quoted(sign),
            (State::Quoted(quote), _) if sign == quote => State::Word,
            (State::Quoted('"'), '\\') => State::Escaped(Some('"')),
            (State::Escaped(quote), _) => {
                if quote.is_some_and(|quote| sign != quote && sign != '\\') {
                    word.text.push('\\');
                }
                word.text.push(sign);
                quote.map_or(State::Word, State::Quoted)
            }
            (State::Between | State::Word, _) => {
                word.text.push(sign);
                State::Word
            }
            (State::Quoted(_), _) => {
                word.text.push(sign);
                state
            }
        };
    }
    match state {
        State::Between | State::Word => Ok(words),
        State::Quoted(_) => Err("a quote that is never closed"),
        State::Escaped(_) => Err("a backslash with nothing behind it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Result<Vec<String>, &'static str> {
        words(line).map(|words| words.into_iter().map(|word| word.text).collect())
    }

    /// What Python's `shlex.split(line, comments=True)` says of each.
    #[test]
    fn a_line_is_cut_as_shlex_cuts_it() {
        for (line, want) in [
            ("web-1", vec!["web-1"]),
            ("\"web-1\" a=1\t b='x y'", vec!["web-1", "a=1", "b=x y"]),
            ("web-3# note", vec!["web-3"]),
            ("web-3 #note", vec!["web-3"]),
            ("web'#'3", vec!["web#3"]),
            ("we\\ b \\# c", vec!["we b", "#", "c"]),
            ("\"a\\\"b\\n\" 'a\\b'", vec!["a\"b\\n", "a\\b"]),
            ("'' a", vec!["", "a"]),
            ("web-1 ;first", vec!["web-1", ";first"]),
            ("web\u{a0}1", vec!["web\u{a0}1"]),
        ] {
            assert_eq!(texts(line), Ok(want.into_iter().map(str::to_owned).collect()), "{line}");
        }
        for line in ["'web", "web-1 a=\"x", "web\\", "it's"] {
            assert!(texts(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_word_knows_its_bytes_with_its_quotes() {
        let line = "\"ä\" b";
        let places: Vec<&str> =
            words(line).unwrap().iter().map(|word| &line[word.start..word.end]).collect();
        assert_eq!(places, ["\"ä\"", "b"]);
    }
}
