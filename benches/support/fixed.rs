//! Structs with fixed fields and derives, as code generated from one release's schema would have
//! them. Only the benchmarks use them: they are what dynamic messages are held against.

use prost::Message;
use serde::Serialize;

/// `pagemap_head`: pagemap.proto.
#[derive(Message, Serialize)]
pub struct PagemapHead {
    #[prost(uint32, required, tag = "1")]
    pub pages_id: u32,
}

/// `pagemap_entry`: pagemap.proto.
#[derive(Message, Serialize)]
pub struct PagemapEntry {
    #[prost(uint64, required, tag = "1")]
    pub vaddr: u64,
    #[prost(uint32, required, tag = "2")]
    pub compat_nr_pages: u32,
    #[prost(bool, optional, tag = "3")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_parent: Option<bool>,
    #[prost(uint32, optional, tag = "4")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<u32>,
    #[prost(uint64, optional, tag = "5")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nr_pages: Option<u64>,
}

/// `vma_entry`: vma.proto.
#[derive(Message, Serialize)]
pub struct VmaEntry {
    #[prost(uint64, required, tag = "1")]
    pub start: u64,
    #[prost(uint64, required, tag = "2")]
    pub end: u64,
    #[prost(uint64, required, tag = "3")]
    pub pgoff: u64,
    #[prost(uint64, required, tag = "4")]
    pub shmid: u64,
    #[prost(uint32, required, tag = "5")]
    pub prot: u32,
    #[prost(uint32, required, tag = "6")]
    pub flags: u32,
    #[prost(uint32, required, tag = "7")]
    pub status: u32,
    #[prost(sint64, required, tag = "8")]
    pub fd: i64,
    #[prost(uint64, optional, tag = "9")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub madv: Option<u64>,
    #[prost(uint32, optional, tag = "10")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fdflags: Option<u32>,
}

/// Of `mm_entry` (mm.proto) its areas, which are nearly all of it.
#[derive(Message, Serialize)]
pub struct MmAreas {
    #[prost(message, repeated, tag = "14")]
    pub vmas: Vec<VmaEntry>,
}

/// The messages of an image behind its magics, each behind its size.
pub fn frames(image: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = image.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (size, behind) = rest.split_first_chunk::<4>()?;
        let (frame, behind) = behind.split_at_checked(u32::from_le_bytes(*size) as usize)?;
        rest = behind;
        Some(frame)
    })
}

/// A pagemap as JSON.
pub fn pagemap(image: &[u8], json: &mut Vec<u8>) {
    json.extend(br#"{"magic":"PAGEMAP","entries":["#);
    for (index, frame) in frames(image).enumerate() {
        if index == 0 {
            let head = PagemapHead::decode(frame).expect("a head");
            serde_json::to_writer(&mut *json, &head).expect("JSON");
        } else {
            json.push(b',');
            let entry = PagemapEntry::decode(frame).expect("an entry");
            serde_json::to_writer(&mut *json, &entry).expect("JSON");
        }
    }
    json.extend(b"]}");
}

/// The areas of an mm image as JSON.
pub fn mm_areas(image: &[u8], json: &mut Vec<u8>) {
    json.extend(br#"{"magic":"MM","entries":["#);
    for (index, frame) in frames(image).enumerate() {
        if index > 0 {
            json.push(b',');
        }
        let entry = MmAreas::decode(frame).expect("an entry");
        serde_json::to_writer(&mut *json, &entry).expect("JSON");
    }
    json.extend(b"]}");
}
