//! Builds images byte by byte, without any code or table of the library: a mistake in its layouts
//! can't hide here.

pub const COMMON: u32 = 0x5456_4319;
pub const PSTREE: u32 = 0x5027_3030;
pub const PAGEMAP: u32 = 0x5608_4025;
pub const CORE: u32 = 0x5505_3847;
pub const GHOST_FILE: u32 = 0x5258_3605;
pub const IPCNS_SEM: u32 = 0x5957_3019;
pub const UTSNS: u32 = 0x5447_3203;

/// A protobuf message, field by field.
#[derive(Default, Clone)]
pub struct Message(pub Vec<u8>);

fn varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let byte = (value % 128) as u8;
        value /= 128;
        if value == 0 {
            out.push(byte);
            return;
        }
        out.push(byte + 128);
    }
}

impl Message {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn key(mut self, number: u64, wire: u64) -> Self {
        varint(&mut self.0, number * 8 + wire);
        self
    }

    pub fn varint(self, number: u64, value: u64) -> Self {
        let mut message = self.key(number, 0);
        varint(&mut message.0, value);
        message
    }

    pub fn fixed32(self, number: u64, value: u32) -> Self {
        let mut message = self.key(number, 5);
        message.0.extend(value.to_le_bytes());
        message
    }

    pub fn fixed64(self, number: u64, value: u64) -> Self {
        let mut message = self.key(number, 1);
        message.0.extend(value.to_le_bytes());
        message
    }

    pub fn bytes(self, number: u64, value: &[u8]) -> Self {
        let mut message = self.key(number, 2);
        varint(&mut message.0, value.len() as u64);
        message.0.extend(value);
        message
    }

    pub fn message(self, number: u64, value: &Message) -> Self {
        self.bytes(number, &value.0)
    }

    /// Bytes as they are.
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }
}

/// An image with `IMG_COMMON` in front.
pub fn image(magic: u32) -> Vec<u8> {
    [COMMON.to_le_bytes(), magic.to_le_bytes()].concat()
}

/// Appends an entry.
pub fn entry(image: &mut Vec<u8>, message: &Message, payload: &[u8]) {
    image.extend((message.0.len() as u32).to_le_bytes());
    image.extend(&message.0);
    image.extend(payload);
}

/// An image of one entry.
pub fn single(magic: u32, message: &Message) -> Vec<u8> {
    let mut bytes = image(magic);
    entry(&mut bytes, message, &[]);
    bytes
}

/// A pstree entry with all its required fields.
pub fn pstree_entry() -> Message {
    let message = Message::new().varint(1, 7).varint(2, 0);
    message.varint(3, 7).varint(4, 7)
}
