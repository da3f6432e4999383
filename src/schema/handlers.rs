//! Which message stands for which magic, out of a CRIU checkout's own C and Python sources. They
//! are read as text: nothing is run or compiled.

use std::collections::HashMap;

/// The messages of CRIU's C sources: `protobuf-desc.h` and `protobuf-desc.c` (before 0.6:
/// `include/protobuf.h` and `protobuf.c`).
#[derive(Debug, Default, Clone)]
pub(super) struct Descriptions {
    /// Names of the list `PB_...`, without `PB_`.
    listed: Vec<String>,
    /// Names whose message the C file spells out.
    described: HashMap<String, String>,
}

impl Descriptions {
    /// Reads the header with the list and the C file with the exceptions from it.
    pub(super) fn parse(header: &str, c: &str) -> Self {
        let header = without_comments(header);
        let listed = header
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .filter_map(|word| word.strip_prefix("PB_"))
            // Markers around the list, its end, and macros that happen to begin so.
            .filter(|name| {
                !name.starts_with("AUTOGEN")
                    && *name != "MAX"
                    && !name.ends_with("_TYPECHECK")
                    && name.chars().all(|c| !c.is_ascii_lowercase())
            })
            .map(str::to_owned)
            .collect();
        Descriptions {
            listed,
            described: described(&without_comments(c)),
        }
    }

    /// The message of a magic of this name, as CRIU's own build finds it: what the C file spells
    /// out, or else the name, or the name without its final S, in lower case.
    pub(super) fn message(&self, magic: &str) -> Option<String> {
        let singular = magic.strip_suffix('S').unwrap_or(magic);
        for name in [magic, singular] {
            // The messages of a SysV queue have a second name for the entry behind which they stand.
            for name in [format!("{name}_ENT"), name.to_owned()] {
                if let Some(message) = self.described.get(&name) {
                    return Some(message.clone());
                }
            }
            if self.listed.iter().any(|listed| listed == name) {
                return Some(format!("{}_entry", name.to_lowercase()));
            }
        }
        None
    }
}

/// `CR_PB_DESC(NAME, Type, message)` and `CR_PB_MDESC_INIT(cr_pb_descs[PB_NAME], Type, message)`:
/// names and messages. Definitions of the macros themselves are passed over.
fn described(c: &str) -> HashMap<String, String> {
    let mut found = HashMap::new();
    for (macro_name, suffix) in [("CR_PB_DESC", "_entry"), ("CR_PB_MDESC_INIT", "")] {
        for (at, _) in c.match_indices(macro_name) {
            let line = c.get(..at).unwrap_or_default().rsplit('\n').next();
            if line.is_some_and(|line| line.trim_start().starts_with('#')) {
                continue;
            }
            let rest = c.get(at + macro_name.len()..).unwrap_or_default();
            let arguments = rest
                .trim_start()
                .strip_prefix('(')
                .and_then(|rest| rest.split_once(')'))
                .map(|(arguments, _)| arguments.split(',').map(str::trim).collect::<Vec<_>>());
            let Some([name, _, message]) = arguments.as_deref() else {
                continue;
            };
            let name = name
                .strip_prefix("cr_pb_descs[PB_")
                .and_then(|name| name.strip_suffix(']'))
                .unwrap_or(name);
            if is_word(name) && is_word(message) {
                found.insert(name.to_owned(), format!("{message}{suffix}"));
            }
        }
    }
    found
}

/// The table of pycriu's `images.py`: magic names and messages, as far as they can be read off a
/// line such as `'CORE': entry_handler(pb.core_entry),`. An entry may be spread over lines.
pub(super) fn pycriu(source: &str) -> HashMap<String, String> {
    let mut found = HashMap::new();
    let Some((_, table)) = source.split_once("handlers = {") else {
        return found;
    };
    let table = table.split_once("\n}").map_or(table, |(table, _)| table);
    for entry in table.split("entry_handler(").collect::<Vec<_>>().windows(2) {
        let [before, after] = entry else { continue };
        let magic = before.trim_end().strip_suffix(':').map(str::trim_end);
        let magic = magic
            .and_then(|m| m.rsplit_once(['\'', '"']))
            .and_then(|(m, rest)| {
                rest.is_empty()
                    .then(|| m.rsplit(['\'', '"']).next())
                    .flatten()
            });
        let message = after
            .split([',', ')'])
            .next()
            .map(|m| m.trim().trim_start_matches("pb."));
        if let (Some(magic), Some(message)) = (magic, message)
            && is_word(magic)
            && is_word(message)
        {
            found.insert(magic.to_owned(), message.to_owned());
        }
    }
    found
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// C text with its comments taken out.
fn without_comments(c: &str) -> String {
    let mut out = String::with_capacity(c.len());
    let mut rest = c;
    while let Some(at) = rest.find("/*").into_iter().chain(rest.find("//")).min() {
        let (before, comment) = rest.split_at(at);
        out.push_str(before);
        let end = if comment.starts_with("/*") {
            "*/"
        } else {
            "\n"
        };
        rest = match comment.get(2..).and_then(|c| c.split_once(end)) {
            Some((_, rest)) => rest,
            None => "",
        };
        out.push('\n');
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "enum {\n\t/* PB_AUTOGEN_START */\n\tPB_INVENTORY, /* 0 */\n\tPB_REG_FILE,\n\
        \tPB_TTY_FILE,\n\t/* PB_AUTOGEN_STOP */\n\tPB_IDS,\n\tPB_MAX,\n};\n\
        #define PB_PACK_TYPECHECK(__o, __fn) x\n";

    const C: &str = "#define CR_PB_DESC(__type, __vtype, __ftype) CR_PB_MDESC_INIT(cr_pb_descs[PB_##__type], __vtype##Entry, __ftype##_entry)\n\
        void cr_pb_init(void)\n{\n\tCR_PB_DESC(IDS,\t\tTaskKobjIds,\n\t\t   task_kobj_ids);\n\
        \tCR_PB_MDESC_INIT(cr_pb_descs[PB_IPCNS_MSG],\tIpcMsg, ipc_msg);\n\
        \tCR_PB_DESC(IPCNS_MSG_ENT, IpcMsg, ipc_msg);\n\
        \t// CR_PB_DESC(OLD, Old, old);\n}\n";

    #[test]
    fn the_c_sources_give_the_message_of_a_magic() {
        let descriptions = Descriptions::parse(HEADER, C);
        let message = |magic| descriptions.message(magic);
        assert_eq!(message("INVENTORY").as_deref(), Some("inventory_entry"));
        assert_eq!(message("REG_FILES").as_deref(), Some("reg_file_entry"));
        assert_eq!(message("IDS").as_deref(), Some("task_kobj_ids_entry"));
        assert_eq!(message("IPCNS_MSG").as_deref(), Some("ipc_msg_entry"));
        assert_eq!(message("OLD"), None);
        assert_eq!(message("MAX"), None);
        assert_eq!(message("PACK_TYPECHECK"), None);
    }

    #[test]
    fn pycrius_table_is_read_in_every_spelling() {
        let source = "x = 1\nhandlers = {\n    'INVENTORY': entry_handler(pb.inventory_entry),\n\
            \t'CORE'\t\t: entry_handler(core_entry),\n    'PAGEMAP': pagemap_handler(),  # Special\n\
            \"TCP_STREAM\": entry_handler(pb.tcp_stream_entry,\n         tcp_stream_extra_handler()),\n\
            'X':\n    entry_handler(\n  pb.x_entry),\n}\n'LATE': entry_handler(pb.late),\n";
        let mut found: Vec<_> = pycriu(source).into_iter().collect();
        found.sort();
        let found: Vec<_> = found
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("CORE", "core_entry"),
                ("INVENTORY", "inventory_entry"),
                ("TCP_STREAM", "tcp_stream_entry"),
                ("X", "x_entry"),
            ]
        );
    }
}
