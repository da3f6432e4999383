//! Names of unix sockets: quoted-printable text as Python writes it.

use criu_images::EncodeOptions;

use super::support::wire::{self, Message};
use super::support::{encoded, plain};

/// An image with one unix socket of this name.
pub fn socket(name: &[u8]) -> Vec<u8> {
    let fown = (1..=5).fold(Message::new(), |m, n| m.varint(n, 0));
    let opts = (1..=6).fold(Message::new(), |m, n| m.varint(n, 0));
    let socket = (1..=8).fold(Message::new(), |m, n| m.varint(n, 1));
    let socket = socket.message(9, &fown).message(10, &opts).bytes(11, name);
    wire::single(0x5437_3943, &socket)
}

fn printed(image: &[u8]) -> String {
    let json: serde_json::Value = serde_json::from_str(&plain(image)).unwrap();
    json["entries"][0]["name"].as_str().unwrap().to_owned()
}

/// tests/facts/quopri.json: bytes in base64, and what Python 3.11's quopri.encodestring makes of
/// them, for random names and for lines around the limit of 76 characters.
#[test]
fn names_are_printed_as_python_prints_them_and_come_back() {
    use base64::Engine as _;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/facts/quopri.json");
    let rows: Vec<(String, String)> =
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(rows.len() > 300);
    for (name, text) in rows {
        let name = base64::engine::general_purpose::STANDARD
            .decode(name)
            .unwrap();
        let image = socket(&name);
        assert_eq!(printed(&image), text, "{name:?}");
        let back = encoded(&plain(&image), &EncodeOptions::default()).unwrap();
        assert!(back == image, "{name:?}");
    }
}

#[test]
fn a_name_that_mixes_newlines_comes_back_too() {
    for name in [b"a\r\nb\nc".as_slice(), b"\n\r\n", b"x\r\n \ny", b"\r\n\r"] {
        let image = socket(name);
        let back = encoded(&plain(&image), &EncodeOptions::default()).unwrap();
        assert!(back == image, "{name:?}: {}", printed(&image));
    }
}

#[test]
fn a_name_of_a_file_is_escaped_in_what_info_prints() {
    let dir = super::support::fresh_dir();
    let image = super::support::image("simple/fs-100.img");
    let names = ["a\u{7f}\u{9b}31m\u{202e}.img", "b.img"];
    for name in names {
        std::fs::write(dir.path().join(name), &image).unwrap();
    }
    let run = super::support::crit_in(dir.path(), &["info", names[0], names[1]], b"").quiet();
    assert!(
        run.text()
            .contains("\"file\": \"a\\u007f\\u009b31m\\u202e.img\""),
        "{}",
        run.text()
    );
    assert_eq!(run.json()[0]["file"], names[0]);
}
