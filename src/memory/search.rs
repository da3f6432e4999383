//! Search in memory.

use std::sync::Arc;

use memchr::memmem::Finder;
use regex_automata::Input;
use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use serde::Serialize;

use super::sweep::{Scanner, Selection, Window};
use super::{Content, Memory};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::MATCH_LENGTH;
use crate::text::Text;

/// How many bytes a compiled regular expression may have.
const NFA_SIZE: usize = 10 << 20;

/// How many bytes of states a regular expression may keep; with less, counted repetitions are slow.
const DFA_SIZE: usize = 24 << 20;

/// What to look for.
#[derive(Debug, Clone)]
pub struct Pattern(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Bytes(Box<Finder<'static>>),
    Regex(Regex),
}

impl Pattern {
    /// These bytes; of a text, its UTF-8.
    ///
    /// # Errors
    ///
    /// There are none, or more than [`MATCH_LENGTH`].
    pub fn bytes(bytes: impl AsRef<[u8]>) -> Result<Self> {
        let bytes = bytes.as_ref();
        if bytes.is_empty() || bytes.len() > MATCH_LENGTH {
            let what = format!(
                "a pattern has 1 to {MATCH_LENGTH} bytes, not {}",
                bytes.len()
            );
            return Err(Error::new(ErrorKind::Value(what)));
        }
        Ok(Pattern(Kind::Bytes(Box::new(
            Finder::new(bytes).into_owned(),
        ))))
    }

    /// What this regular expression matches, over bytes: `.` is any byte but a newline, `\w` and
    /// the like are ASCII's unless `(?u)` says otherwise. A match of no bytes is none, and a match longer than
    /// [`MATCH_LENGTH`] may be cut or missed.
    ///
    /// # Errors
    ///
    /// It is malformed, or too large.
    pub fn regex(expression: &str) -> Result<Self> {
        let config = Regex::config()
            .utf8_empty(false)
            .nfa_size_limit(Some(NFA_SIZE))
            .hybrid_cache_capacity(DFA_SIZE);
        let regex = Regex::builder()
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .configure(config)
            .build(expression);
        let regex = regex.map_err(|error| {
            // The error draws the expression with a caret in several lines; the last says why.
            let text = error
                .syntax_error()
                .map_or_else(|| error.to_string(), ToString::to_string);
            let why = text.lines().last().unwrap_or_default().trim();
            let why = why.strip_prefix("error: ").unwrap_or(why);
            Error::new(ErrorKind::Value(format!("the regular expression: {why}")))
        })?;
        Ok(Pattern(Kind::Regex(regex)))
    }
}

/// A place where a pattern was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Hit {
    /// The task.
    pub pid: u32,
    /// The address of the first byte.
    pub address: u64,
    /// The bytes that were found.
    #[serde(rename = "match")]
    pub found: Text,
    /// What area it begins in: see [`super::Region::kind`].
    pub kind: &'static str,
    /// The first address of that area.
    pub region: u64,
    /// The file that is mapped there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<Arc<Text>>,
    /// The pages image that holds the first byte, and where in it, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Where the first byte is in that image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

impl Memory {
    /// Looks for a pattern in the memory that the checkpoint holds, and hands over what it finds, in
    /// the order of the addresses; of matches that overlap, the first. Matches go across pages,
    /// pagemap entries and neighbouring areas, not across gaps. Memory that was never written is not
    /// searched, but what reaches into it is found.
    ///
    /// `progress` is told how many bytes were read since it was told last. Memory use is a few
    /// megabytes.
    ///
    /// # Errors
    ///
    /// What `each` returns, at once. A pages image that is missing, too short or can't be read, and pages
    /// that are said to be in a pre-dump that doesn't have them: when everything else was searched.
    pub fn search(
        &self,
        pattern: &Pattern,
        selection: &Selection,
        progress: &mut dyn FnMut(u64),
        each: &mut dyn FnMut(Hit) -> Result<()>,
    ) -> Result<()> {
        let mut found = |address: u64, bytes: &[u8]| {
            // The zeros beside what was written are only there for what reaches into them.
            if bytes.iter().all(|byte| *byte == 0) && self.is_never_written(address, bytes.len()) {
                return Ok(());
            }
            each(self.hit(address, bytes))
        };
        match &pattern.0 {
            Kind::Bytes(finder) => {
                let mut scanner = Literal {
                    finder,
                    found: &mut found,
                };
                self.sweep(selection, &mut scanner, progress)
            }
            Kind::Regex(regex) => {
                let mut scanner = Expression {
                    regex,
                    found: &mut found,
                };
                self.sweep(selection, &mut scanner, progress)
            }
        }
    }

    fn is_never_written(&self, address: u64, length: usize) -> bool {
        let mut never = true;
        let walked = self.walk(
            address..address.saturating_add(length as u64),
            &mut |piece| {
                never &= matches!(piece.content, Content::Zeros);
                Ok(())
            },
        );
        walked.is_ok() && never
    }

    fn hit(&self, address: u64, bytes: &[u8]) -> Hit {
        let areas = &self.address_space().areas;
        let index = areas.partition_point(|area| area.end <= address);
        let area = areas.get(index).filter(|area| area.start <= address);
        let (image, offset) = self.stored_at(address).unzip();
        Hit {
            pid: self.pid(),
            address,
            found: Text::from(bytes),
            kind: area.map_or("", |area| self.kind_of(area)),
            region: area.map_or(0, |area| area.start),
            file: area.and_then(|area| self.file_of(area)).cloned(),
            image,
            offset,
        }
    }

    /// The bytes right before an address, up to so many, as far as they are known; and where they
    /// begin.
    #[must_use]
    pub fn known_before(&self, address: u64, most: u64) -> (u64, Vec<u8>) {
        let start = address.saturating_sub(most);
        let mut known = (address, Vec::new());
        // A failure is a gap as well: what is behind it counts.
        let walked = self.walk(start..address, &mut |piece| {
            let length = usize::try_from(piece.end - piece.start).unwrap_or(0);
            let mut bytes = vec![0; length];
            match self.fill(&piece, 0, &mut bytes) {
                Ok(()) if known.0 <= piece.start && !known.1.is_empty() => known.1.extend(bytes),
                Ok(()) => known = (piece.start, bytes),
                Err(_) => known = (address, Vec::new()),
            }
            Ok(())
        });
        debug_assert!(walked.is_ok());
        known
    }

    /// The bytes from an address on, up to so many, as far as they are known.
    #[must_use]
    pub fn known_behind(&self, address: u64, most: u64) -> Vec<u8> {
        let mut known = Vec::new();
        let end = address.saturating_add(most);
        // The first gap ends it.
        let _ = self.walk(address..end, &mut |piece| {
            let length = usize::try_from(piece.end - piece.start).unwrap_or(0);
            let mut bytes = vec![0; length];
            self.fill(&piece, 0, &mut bytes)?;
            known.extend(bytes);
            Ok(())
        });
        known
    }

    /// The pages image that holds the byte at an address, and where in it.
    #[must_use]
    pub fn stored_at(&self, address: u64) -> Option<(String, u64)> {
        let mut place = None;
        let walked = self.walk(address..address.checked_add(1)?, &mut |piece| {
            if let Content::Pages(stored) = &piece.content {
                place = Some((stored.image().to_owned(), stored.offset));
            }
            Ok(())
        });
        walked.ok()?;
        place
    }
}

/// Hands over an address and the bytes there.
type FoundAt<'a> = &'a mut dyn FnMut(u64, &[u8]) -> Result<()>;

struct Literal<'a> {
    finder: &'a Finder<'static>,
    found: FoundAt<'a>,
}

impl Scanner for Literal<'_> {
    fn reach(&self) -> usize {
        self.finder.needle().len() - 1
    }

    fn looks_at_zeros(&mut self) -> Result<bool> {
        Ok(self.finder.needle().iter().all(|byte| *byte == 0))
    }

    fn scan(&mut self, window: &Window<'_>) -> Result<usize> {
        let mut done = window.from;
        let rest = window.bytes.get(done..).unwrap_or_default();
        for start in self.finder.find_iter(rest).map(|at| at + window.from) {
            done = start + self.finder.needle().len();
            let bytes = window.bytes.get(start..done).unwrap_or_default();
            (self.found)(window.address_of(start), bytes)?;
        }
        Ok(done.max(window.bytes.len().saturating_sub(self.reach())))
    }
}

struct Expression<'a> {
    regex: &'a Regex,
    found: FoundAt<'a>,
}

impl Scanner for Expression<'_> {
    fn reach(&self) -> usize {
        MATCH_LENGTH
    }

    fn looks_at_zeros(&mut self) -> Result<bool> {
        let zeros = vec![0; 2 * MATCH_LENGTH];
        Ok(self.regex.find_iter(&zeros).any(|hit| !hit.is_empty()))
    }

    fn scan(&mut self, window: &Window<'_>) -> Result<usize> {
        let length = window.bytes.len();
        // The last byte is only looked at when it is one: `$` is the end of what is contiguous.
        let end = if window.last {
            length
        } else {
            length.saturating_sub(1)
        };
        // A match that begins behind this place may go on in the next window.
        let sure = if window.last {
            length
        } else {
            end.saturating_sub(self.reach())
        };
        let mut done = window.from;
        while done < sure {
            let input = Input::new(window.bytes).range(done..end);
            let Some(hit) = self.regex.find(input) else {
                break;
            };
            if hit.start() >= sure {
                break;
            }
            if hit.is_empty() {
                done = hit.end() + 1;
                continue;
            }
            let bytes = window.bytes.get(hit.range()).unwrap_or_default();
            (self.found)(window.address_of(hit.start()), bytes)?;
            done = hit.end();
        }
        Ok(done.max(sure))
    }
}
