//! Faults for which CRIU refuses a checkpoint.

use std::fs;

use serde_json::json;

use super::super::support;
use super::{bytes, crit_in, doubled, edit, faults, field, found, removed};

faults! {
    "error":
    // Each image by itself.
    a_magic_that_the_name_contradicts: "full-ns",
        Box::new(|dir| assert!(fs::copy(dir.join("pstree.img"), dir.join("core-3.img")).is_ok()))
        => "core-3.img", None, "", "by its magic it is of the kind PSTREE, by its name CORE";
    an_image_that_is_cut_off: "full-ns", bytes("files.img", |bytes| bytes.truncate(700))
        => "files.img", Some(9), "", "exceeds the 49 bytes left";
    an_image_of_nothing: "full-ns", bytes("fs-6.img", Vec::clear)
        => "fs-6.img", None, "", "empty";
    an_image_without_an_entry: "full-ns", bytes("mm-6.img", |bytes| bytes.truncate(8))
        => "mm-6.img", None, "", "it has no entry";
        an_unknown_magic: "full-ns", bytes("ids-6.img", |bytes| bytes[5] ^= 0x40)
        => "ids-6.img", None, "", "unknown magic";
    a_required_field_that_is_missing: "full-ns", Box::new(|dir| {

            let json = crit_in(dir, &["decode", "-i", "fs-6.img"], b"").quiet().text();
            let json = json.replace("\"root_id\": 85, ", "");
            crit_in(dir, &["encode", "--lenient", "-o", "fs-6.img"], json.as_bytes());
        }) => "fs-6.img", Some(0), "root_id", "a required field is missing";

    // The inventory.
    an_inventory_that_is_missing: "full-ns", removed("inventory.img")
        => "inventory.img", None, "", "missing";
    a_version_that_is_not_known: "full-ns", field("inventory.img", "/0/img_version", json!(7))
        => "inventory.img", Some(0), "img_version", "the version 7 of images is unknown";

    // The tree.
    a_tree_that_is_missing: "full-ns", removed("pstree.img")
        => "pstree.img", None, "", "missing";
    a_task_that_stands_twice: "full-ns", doubled("pstree.img", 3)
        => "pstree.img", Some(4), "pid", "duplicate task 8: entry 3 has it too";
    a_second_root: "full-ns", field("pstree.img", "/4/ppid", json!(0))
        => "pstree.img", Some(4), "ppid", "a second root: entry 0 is one";
    a_parent_that_is_no_task: "full-ns", field("pstree.img", "/3/ppid", json!(55))
        => "pstree.img", Some(3), "ppid", "no task before it has the id 55";
    a_task_that_is_its_own_parent: "full-ns", field("pstree.img", "/3/ppid", json!(8))
        => "pstree.img", Some(3), "ppid", "no task before it has the id 8";
    a_child_in_front_of_its_parent: "full-ns", edit("pstree.img", |entries| entries.swap(2, 3))
        => "pstree.img", Some(2), "ppid", "no task before it has the id 7";
    a_tree_without_a_root: "full-ns", field("pstree.img", "/0/ppid", json!(13))
        => "pstree.img", None, "", "no task is the root";
    a_task_that_is_none_of_its_threads: "full-ns", field("pstree.img", "/1/threads", json!([16]))
        => "pstree.img", Some(1), "threads", "task 6 itself is not among its threads";
    a_thread_of_two_tasks: "full-ns", field("pstree.img", "/1/threads", json!([6, 4]))
        => "pstree.img", Some(1), "threads", "thread 4 is one of task 1";

    a_tree_without_a_task: "full-ns", bytes("pstree.img", |bytes| bytes.truncate(8))
        => "pstree.img", None, "", "it has no task";

    // The images of tasks.
    a_core_that_is_missing: "full-ns", removed("core-8.img")
        => "core-8.img", None, "", "missing: the state of task 8 (entry 3 of pstree.img)";
    a_core_of_a_thread_that_is_missing: "full-ns", removed("core-4.img")
        => "core-4.img", None, "", "missing: the registers of thread 4 of task 1";
    a_core_without_the_state_of_a_task: "full-ns", edit("core-8.img", |entries| {
            entries[0].as_object_mut().unwrap().remove("tc");
        }) => "core-8.img", Some(0), "tc", "missing";
    a_core_without_registers: "full-ns", edit("core-4.img", |entries| {
            entries[0].as_object_mut().unwrap().remove("thread_info");
        }) => "core-4.img", Some(0), "thread_info", "the registers of a thread on X86_64";
    credentials_that_are_missing: "full-ns", edit("core-8.img", |entries| {
            entries[0]["thread_core"].as_object_mut().unwrap().remove("creds");
        }) => "creds-8.img", None, "", "missing: the credentials of task 8";
    ids_that_are_missing: "full-ns", removed("ids-9.img")
        => "ids-9.img", None, "", "missing: the ids of what it shares with others";
    a_working_directory_that_is_missing: "full-ns", removed("fs-7.img")
        => "fs-7.img", None, "", "missing: the working directory and the root of task 7";
    areas_that_are_missing: "full-ns", removed("mm-7.img")
        => "mm-7.img", None, "", "missing: the mappings of task 7";
    pages_that_are_missing: "full-ns", removed("pagemap-7.img")
        => "pagemap-7.img", None, "", "missing: the pages of task 7";

    a_core_of_another_machine: "full-ns", Box::new(|dir| {
            let other = support::images().join("made-aarch64/core-1.img");
            assert!(fs::copy(other, dir.join("core-8.img")).is_ok());
        }) => "core-8.img", Some(0), "mtype", "AARCH64, where core-1.img has X86_64";
    a_state_that_no_task_has: "pattern", field("core-9230.img", "/0/tc/task_state", json!(9))
        => "core-9230.img", Some(0), "tc.task_state", "9 is not the state of a task";
    too_few_handlers_of_signals: "full-ns", edit("core-8.img", |entries| {
            entries[0]["tc"]["sigactions"].as_array_mut().unwrap().truncate(10);
        }) => "core-8.img", Some(0), "tc.sigactions", "10 handlers of signals, where 62 are needed";
    a_timer_that_stands_twice: "events", edit("core-100.img", |entries| {
            let timers = entries[0]["tc"]["timers"]["posix"].as_array_mut().unwrap();
            timers.push(timers[0].clone());
        }) => "core-100.img", Some(0), "tc.timers.posix[3].it_id", "duplicate timer 0";

    // Descriptors and files.
    open_files_that_are_missing: "full-ns", removed("files.img")
        => "files.img", None, "", "missing: the tasks refer to the files in it";
    a_descriptor_of_a_file_that_is_none: "full-ns", field("fdinfo-2.img", "/3/id", json!(900))
        => "fdinfo-2.img", Some(3), "id", "no file has the id 900";
    a_descriptor_of_a_file_of_another_type: "full-ns", field("fdinfo-2.img", "/3/id", json!(21))
        => "fdinfo-2.img", Some(3), "id", "the file 21 is of the type PIPE, not REG (entry 20 of files.img)";
    two_files_of_one_descriptor: "full-ns", edit("fdinfo-2.img", |entries| {
            let fd = entries[4]["fd"].clone();
            entries[5]["fd"] = fd;
        }) => "fdinfo-2.img", Some(5), "fd", "duplicate descriptor 4";
    a_file_that_stands_twice: "full-ns", doubled("files.img", 20)
        => "files.img", Some(21), "pipe.id", "duplicate file 21 of the type PIPE: entry 20 has the id too";
    a_file_without_its_message: "full-ns", edit("files.img", |entries| {
            entries[20].as_object_mut().unwrap().remove("pipe");
        }) => "files.img", Some(20), "pipe", "missing in a file of the type PIPE";
    a_file_with_two_ids: "full-ns", field("files.img", "/20/pipe/id", json!(99))
        => "files.img", Some(20), "pipe.id", "99 is not the id of the entry, 21";
    a_working_directory_that_is_no_file: "full-ns", field("fs-7.img", "/0/cwd_id", json!(21))
        => "fs-7.img", Some(0), "cwd_id", "of the type PIPE, not REG";
    a_program_that_is_no_file: "full-ns", field("mm-7.img", "/0/exe_file_id", json!(901))
        => "mm-7.img", Some(0), "exe_file_id", "no file has the id 901";
    a_socket_whose_peer_is_gone: "full-ns", field("files.img", "/31/usk/peer", json!(5))
        => "files.img", Some(31), "usk.peer", "no unix socket has the inode 5";
    a_fifo_without_its_path: "full-ns", field("files.img", "/26/fifo/regf_id", json!(902))
        => "files.img", Some(26), "fifo.regf_id", "no file has the id 902";
    terminals_that_are_missing: "full-ns", removed("tty-info.img")
        => "tty-info.img", None, "", "missing: entry 71 of files.img refers to it";
    a_terminal_that_is_none: "full-ns", field("files.img", "/71/tty/tty_info_id", json!(8))
        => "files.img", Some(71), "tty.tty_info_id", "no terminal in tty-info.img has the id 8";
    data_of_a_terminal_that_is_none: "full-ns", field("tty-data.img", "/1/tty_id", json!(8))
        => "tty-data.img", Some(1), "tty_id", "no terminal of an open file has the id 8";
    memfds_that_are_missing: "full-ns", removed("memfd.img")
        => "memfd.img", None, "", "missing: entry 1 of files.img refers to it";
    a_memfd_that_is_none: "full-ns", field("files.img", "/64/memfd/inode_id", json!(8))
        => "files.img", Some(64), "memfd.inode_id", "no memfd in memfd.img has the inode 8";
    pages_of_a_memfd_that_are_missing: "full-ns", removed("pagemap-shmem-9340.img")
        => "pagemap-shmem-9340.img", None, "", "missing: the pages of a memfd (entry 1 of memfd.img)";
    a_ghost_file_that_is_missing: "full-ns", removed("ghost-file-3.img")
        => "ghost-file-3.img", None, "", "missing: the content of a deleted file (entry 2 of remap-fpath.img)";
    a_remap_of_a_file_that_is_none: "full-ns", field("remap-fpath.img", "/1/orig_id", json!(900))
        => "remap-fpath.img", Some(1), "orig_id", "no file has the id 900";
    a_connection_that_is_missing: "full-ns", removed("tcp-stream-16b117.img")
        => "tcp-stream-16b117.img", None, "", "missing: the connection of a socket, entry 42 of files.img";
    a_type_of_sockets_that_is_none: "full-ns", field("files.img", "/44/isk/type", json!(9))
        => "files.img", Some(44), "isk.type", "9 is not a type of sockets";
    a_target_of_epoll_that_is_none: "full-ns", field("files.img", "/59/epfd/tfd/0/tfd", json!(900))
        => "files.img", Some(59), "epfd.tfd[0].tfd", "the task that opens it has no descriptor 900";
    the_content_of_a_file_that_is_too_short: "full-ns", bytes("ghost-file-1.img", |bytes| {
            bytes.truncate(bytes.len() - 3);
        }) => "ghost-file-1.img", Some(0), "", "bytes of content; the file had";
    a_message_queue_that_stands_twice: "ipc-ns", doubled("ipcns-msg-9.img", 0)
        => "ipcns-msg-9.img", Some(1), "desc.id", "duplicate message queue 0";
    a_destination_without_an_address: "full-ns", edit("files.img", |entries| {
            entries[44]["isk"].as_object_mut().unwrap().remove("dst_addr");
        }) => "files.img", Some(44), "isk.dst_addr", "an address of 0 words, where 1 are needed";
    an_address_of_too_few_words: "full-ns", field("files.img", "/48/isk/src_addr", json!([1, 2]))
        => "files.img", Some(48), "isk.src_addr", "an address of 2 words, where 4 are needed";
    a_lock_on_a_descriptor_that_is_none: "full-ns", field("filelocks.img", "/2/fd", json!(900))
        => "filelocks.img", Some(2), "fd", "task 1 has no descriptor 900";
    a_filter_that_is_missing: "full-ns", edit("seccomp.img", |entries| {
            entries[0]["seccomp_filters"].as_array_mut().unwrap().truncate(1);
        }) => "core-9.img", Some(0), "thread_core.seccomp_filter", "seccomp.img has 1 filters";
    an_old_file_that_is_none: "v33-full", field("reg-files.img", "/0/id", json!(999))
        => "mm-100.img", Some(0), "exe_file_id", "no file of the type REG has the id";

    // Memory.
    an_area_that_ends_before_it_starts: "pattern", edit("mm-9230.img", |entries| {
            entries[0]["vmas"][2]["end"] = json!(4096);
        }) => "mm-9230.img", Some(0), "vmas[2].end", "it ends at 0x1000, not above its start";
    an_area_of_a_file_that_is_none: "pattern", edit("mm-9230.img", |entries| {
            entries[0]["vmas"][0]["shmid"] = json!(900);
        }) => "mm-9230.img", Some(0), "vmas[0].shmid", "no file has the id 900";
    a_heap_that_ends_before_it_begins: "pattern", field("mm-9230.img", "/0/mm_brk", json!(5))
        => "mm-9230.img", Some(0), "mm_brk", "0x5 is not above the start";
    arguments_where_nothing_may_be: "pattern", field("mm-9230.img", "/0/mm_arg_start", json!(5))
        => "mm-9230.img", Some(0), "mm_arg_start", "0x5 is below the first address that can be mapped";
    pages_that_are_in_no_area: "pattern", edit("mm-9230.img", |entries| {
            entries[0]["vmas"].as_array_mut().unwrap().remove(4);
        }) => "pagemap-9230.img", Some(3), "vaddr", "is in no mapping";
    a_parent_that_leads_back: "pattern", Box::new(|dir| {
            std::os::unix::fs::symlink(".", dir.join("parent")).unwrap();
        }) => "parent", None, "", "the chain of parents leads back to itself";
    a_pages_image_that_is_too_short: "pattern", Box::new(|dir| {
            let file = fs::OpenOptions::new().write(true).open(dir.join("pages-3.img")).unwrap();
            file.set_len(4096).unwrap();
        }) => "pages-3.img", None, "", "it has 4096 bytes; pagemap-9230.img needs";
    a_pages_image_that_is_missing: "pattern", removed("pages-3.img")
        => "pages-3.img", None, "", "missing: pagemap-9230.img has";
    pages_in_a_parent_that_is_none: "pattern", edit("pagemap-9230.img", |entries| {
            // Behind the last pages of the image there are none to be taken for them.
            let last = entries.len() - 1;
            entries[last]["flags"] = json!("PE_PARENT");
            entries[last]["nr_pages"] = json!(20);
            entries[last]["vaddr"] = entries[last - 1]["vaddr"].clone();
        }) => "pagemap-9230.img", Some(15), "", "its pages are in the parent, but there is no parent";
    a_segment_without_pages: "app", removed("pagemap-shmem-9327.img")
        => "pagemap-shmem-9327.img", None, "", "missing: the pages of";
    a_segment_of_ipc_without_pages: "full-ns", removed("pagemap-shmem-1.img")
        => "pagemap-shmem-1.img", None, "", "missing: the pages of a segment (entry 1 of ipcns-shm-11.img)";

    // Namespaces, mounts, cgroups.
    a_host_name_that_is_missing: "full-ns", removed("utsns-12.img")
        => "utsns-12.img", None, "", "missing: the UTS namespace of task 1 (uts_ns_id of ids-1.img)";
    mounts_that_are_missing: "full-ns", removed("mountpoints-14.img")
        => "mountpoints-14.img", None, "", "missing: the mount namespace of task 1";
    id_maps_that_are_missing: "userns", removed("userns-14.img")
        => "userns-14.img", None, "", "missing: the user namespace of task 1";
    a_mount_that_stands_twice: "full-ns", doubled("mountpoints-14.img", 1)
        => "mountpoints-14.img", Some(2), "mnt_id", "duplicate mount 79: entry 1 of mountpoints-14.img has the id too";
    a_mount_below_one_that_is_none: "full-ns", field("mountpoints-14.img", "/0/parent_mnt_id", json!(900))
        => "mountpoints-14.img", Some(0), "parent_mnt_id", "no mount has the id 900";
    mounts_without_a_root: "full-ns", field("mountpoints-14.img", "/18/mountpoint", json!("/x"))
        => "mountpoints-14.img", None, "", "no mount is the root: none without a parent is at /";
    mounts_without_an_entry: "full-ns", bytes("mountpoints-14.img", |bytes| bytes.truncate(8))
        => "mountpoints-14.img", None, "", "no mount is the root";
    a_file_on_a_mount_that_is_none: "full-ns", field("files.img", "/8/reg/mnt_id", json!(900))
        => "files.img", Some(8), "reg.mnt_id", "no mount has the id 900";
    a_socket_of_a_network_that_is_none: "full-ns", field("files.img", "/44/isk/ns_id", json!(99))
        => "files.img", Some(44), "isk.ns_id", "no task is in the network namespace 99";
    cgroups_that_are_missing: "full-ns", removed("cgroup.img")
        => "cgroup.img", None, "", "missing: core-1.img has the set 2 in it";
    a_set_of_cgroups_that_is_none: "full-ns", field("core-7.img", "/0/thread_core/cg_set", json!(99))
        => "core-7.img", Some(0), "thread_core.cg_set", "no set in cgroup.img has the id 99";
    a_controller_that_is_none: "full-ns", field("cgroup.img", "/0/sets/1/ctls/2/name", json!("pens"))
        => "cgroup.img", Some(0), "sets[1].ctls[2].name", "no controller has the name pens";
}
