//! Faults with which CRIU restores a checkpoint, and to something else; and those without consequence.

use std::fs;

use serde_json::json;

use super::{bytes, doubled, edit, faults, field, found};

faults! {
    "warning":
    data_of_a_pipe_that_is_none: "full-ns", field("pipes-data.img", "/0/pipe_id", json!(5))
        => "pipes-data.img", Some(0), "pipe_id", "no pipe has the id 5: the data are lost";
    data_of_a_pipe_that_stand_twice: "full-ns", doubled("fifo-data.img", 0)
        => "fifo-data.img", Some(1), "pipe_id", "duplicate data of the FIFO 893211: the last are taken";
    a_queue_of_a_socket_that_is_none: "full-ns", field("sk-queues.img", "/7/id_for", json!(7))
        => "sk-queues.img", Some(7), "id_for", "no socket has the id 7";
    the_content_of_a_map_that_is_none: "full-ns", field("bpfmap-data.img", "/1/map_id", json!(9))
        => "bpfmap-data.img", Some(1), "map_id", "no map has the id 9";
    a_state_of_a_socket_that_is_none: "full-ns", field("files.img", "/44/isk/state", json!(99))
        => "files.img", Some(44), "isk.state", "99 is not the state of a socket";
    a_port_that_is_none: "full-ns", field("files.img", "/44/isk/src_port", json!(70_000))
        => "files.img", Some(44), "isk.src_port", "70000 is not a port: restore takes 4464";
    a_remap_that_stands_twice: "full-ns", doubled("remap-fpath.img", 0)
        => "remap-fpath.img", Some(1), "orig_id", "duplicate file 17: entry 0 is replaced by this one";
    a_lock_of_a_task_that_is_none: "full-ns", field("filelocks.img", "/2/pid", json!(77))
        => "filelocks.img", Some(2), "pid", "no task has the id 77: the lock is not set";
    areas_that_overlap: "pattern", edit("mm-9230.img", |entries| {
            let next = entries[0]["vmas"][3]["end"].clone();
            entries[0]["vmas"][2]["end"] = next;
        }) => "mm-9230.img", Some(0), "vmas[3].start", "is before the end of a mapping before it";
    an_area_in_the_middle_of_a_page: "pattern", edit("mm-9230.img", |entries| {
            let end = entries[0]["vmas"][2]["end"].as_u64().unwrap();
            entries[0]["vmas"][2]["end"] = json!(end - 8);
        }) => "mm-9230.img", Some(0), "vmas[2].end", "is not the address of a page";
    pages_between_two_addresses: "pattern", edit("pagemap-9230.img", |entries| {
            let last = entries.last_mut().unwrap();
            last["vaddr"] = json!(last["vaddr"].as_u64().unwrap() - 1);
        }) => "pagemap-9230.img", Some(15), "vaddr", "is not the address of a page";
    a_network_of_the_id_0: "full-ns", field("ids-1.img", "/0/net_ns_id", json!(0))
        => "ids-1.img", Some(0), "net_ns_id", "it gets a new one, without devices";
    limits_of_semaphores_that_are_not_all: "full-ns", edit("ipcns-var-11.img", |entries| {
            entries[0]["sem_ctls"].as_array_mut().unwrap().pop();
        }) => "ipcns-var-11.img", Some(0), "sem_ctls", "3 numbers of 4";
    pages_that_stand_twice: "pattern", doubled("pagemap-9230.img", 2)
        => "pagemap-9230.img", Some(3), "vaddr", "is before the end of an earlier entry";
    mounts_that_hang_on_each_other: "full-ns", field("mountpoints-14.img", "/3/parent_mnt_id", json!(79))
        => "mountpoints-14.img", Some(3), "parent_mnt_id", "the mount 79 does not hang below the root";
    more_pages_than_are_needed: "pattern", bytes("pages-3.img", |bytes| bytes.extend([0; 4096]))
        => "pages-3.img", None, "", "it has 102400 bytes; pagemap-9230.img needs 98304";
    a_duplicate_descriptor_of_one_file: "full-ns", doubled("fdinfo-2.img", 4)
        => "fdinfo-2.img", Some(5), "fd", "duplicate descriptor 4";
    pages_of_no_parent_that_are_taken_from_others: "pattern", field("pagemap-9230.img", "/4/flags", json!("PE_PARENT"))
        => "pagemap-9230.img", Some(4), "", "there is no parent: it gets other pages";
}

mod notes {
    use super::*;

    faults! {
        "note":
        a_controller_that_no_used_set_has: "full-ns", edit("cgroup.img", |entries| {
                let mut set = entries[0]["sets"][1].clone();
                set["id"] = json!(99);
                set["ctls"][0]["name"] = json!("pens");
                entries[0]["sets"].as_array_mut().unwrap().push(set);
            }) => "cgroup.img", Some(0), "sets[6].ctls[0].name", "no controller has the name pens";
        a_task_without_descriptors: "full-ns", super::super::removed("fdinfo-4.img")
            => "fdinfo-4.img", None, "", "has no open descriptor";
        a_second_entry_where_one_is_read: "full-ns", doubled("core-6.img", 0)
            => "core-6.img", Some(1), "", "it has 2 entries: only the first is restored";
        an_image_of_another_task: "pattern", Box::new(|dir| {
                assert!(fs::copy(dir.join("core-9230.img"), dir.join("core-9999.img")).is_ok());
            }) => "core-9999.img", None, "", "no task and no thread has this id";
        a_damaged_image_that_nobody_reads: "pattern", Box::new(|dir| {
                fs::write(dir.join("core-9999.img"), b"not an image at all").unwrap();
            }) => "core-9999.img", None, "", "(restore does not read this image)";
        an_entry_without_pages: "pattern", edit("pagemap-9230.img", |entries| {
                entries.push(json!({"vaddr": 0x403000, "compat_nr_pages": 0, "flags": "PE_PRESENT", "nr_pages": 0}));
            }) => "pagemap-9230.img", Some(16), "nr_pages", "an entry without pages";
        fields_in_another_order: "pattern", bytes("fs-9230.img", |bytes| {
                // Two fields of a tag and one byte each change places.
                bytes[12..16].rotate_left(2);
            }) => "fs-9230.img", Some(0), "", "not encoded as CRIU encodes it";
    }
}
