//! HTML in the making. What comes from a dump can get in escaped only: the rest is text of this
//! program, or numbers.

use crate::render::{printable, printable_bytes};
use crate::text::Text;

/// As many characters of a text are in a cell of a table, and where the pointer rests on it.
const CELL: usize = 240;
const TITLE: usize = 5000;
/// As many members of a long list are shown at once; the others are a click away.
const UNFOLDED: usize = 40;

/// A name out of a dump; bytes that are not UTF-8 are shown as escapes, as on a terminal.
pub(super) fn shown(name: &Text) -> String {
    printable_bytes(name.as_bytes())
}

/// A piece of a page.
#[derive(Default)]
pub(super) struct Html(String);

impl Html {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Markup of this program's own.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Any text, as text or inside the quotes of an attribute. Control characters and those that
    /// change the direction of text are shown as escapes.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for c in printable(text).chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
        self
    }

    pub(super) fn number(&mut self, number: impl Into<u64>) -> &mut Self {
        self.0.push_str(&number.into().to_string());
        self
    }

    /// A length in an image, to a tenth.
    pub(super) fn length(&mut self, length: f64) -> &mut Self {
        self.0.push_str(&format!("{length:.1}"));
        self
    }

    pub(super) fn add(&mut self, piece: &Html) -> &mut Self {
        self.0.push_str(&piece.0);
        self
    }

    /// A cell of a table; of a long text its beginning, and all of it where the pointer rests.
    pub(super) fn cell(&mut self, text: &str) -> &mut Self {
        if text.chars().nth(CELL).is_none() {
            return self.raw("<td>").text(text).raw("</td>");
        }
        self.raw("<td title=\"")
            .text(&short(text, TITLE))
            .raw("\">");
        self.text(&short(text, CELL)).raw("</td>")
    }

    /// A cell with a number, or with nothing.
    pub(super) fn number_cell(&mut self, number: Option<u64>) -> &mut Self {
        self.raw("<td class=num>");
        if let Some(number) = number {
            self.number(number);
        }
        self.raw("</td>")
    }

    /// The head of a table, and its beginning. The name of a column of numbers begins with `#`.
    pub(super) fn table(&mut self, columns: &[&'static str]) -> &mut Self {
        self.raw("<div class=wide><table><thead><tr>");
        for column in columns {
            match column.strip_prefix('#') {
                Some(column) => self.raw("<th class=num>").raw(column).raw("</th>"),
                None => self.raw("<th>").raw(column).raw("</th>"),
            };
        }
        self.raw("</tr></thead><tbody>\n")
    }

    pub(super) fn end_table(&mut self) -> &mut Self {
        self.raw("</tbody></table></div>\n")
    }

    /// Says how many there are that are not shown.
    pub(super) fn left_out(&mut self, count: usize, what: &'static str) -> &mut Self {
        if count > 0 {
            self.raw("<p class=note>and ")
                .number(count as u64)
                .raw(" more ");
            self.raw(what).raw("</p>\n");
        }
        self
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

/// A list whose later members are folded away, when there are many.
pub(super) struct Fold {
    /// What closes the element that the list is in, and what opens it.
    close: &'static str,
    open: &'static str,
    count: usize,
    what: &'static str,
    done: usize,
    folded: bool,
}

impl Fold {
    pub(super) fn of(count: usize, what: &'static str) -> Self {
        Fold::inside("", "", count, what)
    }

    /// The same inside of an element, which is closed before the fold and opened again in it.
    pub(super) fn inside(
        close: &'static str,
        open: &'static str,
        count: usize,
        what: &'static str,
    ) -> Self {
        Fold {
            close,
            open,
            count,
            what,
            done: 0,
            folded: false,
        }
    }

    /// Before each member.
    pub(super) fn next(&mut self, page: &mut Html) {
        // A fold for a few more would take as much room as they.
        if self.done == UNFOLDED && self.count > UNFOLDED + UNFOLDED / 4 {
            page.raw(self.close)
                .raw("<details class=fold><summary>")
                .number((self.count - UNFOLDED) as u64);
            page.raw(" more ")
                .raw(self.what)
                .raw("</summary>\n")
                .raw(self.open);
            self.folded = true;
        }
        self.done += 1;
    }

    /// Behind the last.
    pub(super) fn end(self, page: &mut Html) {
        if self.folded {
            page.raw("</details>\n");
        }
    }
}

/// A name that fits into this many characters and three dots.
pub(super) fn short(name: &str, most: usize) -> String {
    let mut chars = name.chars();
    let short: String = chars.by_ref().take(most).collect();
    if chars.next().is_some() {
        short + "..."
    } else {
        short
    }
}

#[cfg(test)]
mod tests {
    use super::Html;

    #[test]
    fn nothing_of_a_text_is_markup() {
        let mut html = Html::new();
        html.text("<script>\"a\" & 'b'\x1b\u{202e}</script>");
        assert_eq!(
            html.into_string(),
            "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;\\u{1b}\\u{202e}&lt;/script&gt;"
        );
    }
}
