//! Faults in tasks, their sessions, credentials, timers, sockets and namespaces.
//!
//! `tree` has several sessions: task 109 is in that of the root, below 104; 111 in that of 103.

use serde_json::json;

use super::{bytes, edit, faults, field, found};

/// A field of the part of a core image that every thread has.
fn set_in_thread(name: &'static str, value: serde_json::Value) -> super::Plant {
    edit("core-9230.img", move |entries| {
        let thread = &mut entries[0]["thread_core"];
        thread["sched_policy"] = json!(0);
        thread[name] = value;
    })
}

faults! {
    "error":
    // Sessions and groups.
    a_session_whose_leader_is_not_above: "tree", field("pstree.img", "/6/sid", json!(103))
        => "pstree.img", Some(6), "sid", "task 109: no task above it leads the session 103";
    a_session_that_no_task_leads: "tree", field("pstree.img", "/6/sid", json!(999))
        => "pstree.img", Some(6), "sid", "task 109: no task above it leads the session 999";
    a_child_of_the_root_in_a_session_whose_leader_has_left_it: "tree", edit("pstree.img", |entries| {
            entries[1]["sid"] = json!(100);
            entries[4]["sid"] = json!(103);
        }) => "pstree.img", Some(4), "sid", "task 104: it can't be in the session 103";
    two_sessions_that_a_task_would_be_born_in: "tree", edit("pstree.img", |entries| {
            // 106 and 108 lead sessions; a child of each has that of a task further up.
            entries[8]["ppid"] = json!(103);
            entries[9]["ppid"] = json!(106);
            entries[9]["sid"] = json!(100);
            entries[3]["ppid"] = json!(110);
            entries[3]["sid"] = json!(103);
            entries[2]["ppid"] = json!(103);
            entries.push(json!({"pid": 120, "ppid": 110, "pgid": 100, "sid": 100, "threads": [0]}));
        }) => "core-120.img", None, "", "missing";
    a_session_leader_in_the_group_of_another: "tree", field("pstree.img", "/8/pgid", json!(100))
        => "pstree.img", Some(8), "pgid", "task 106: a session leader can't be in another group, 100";
    a_group_whose_leader_is_in_another_group: "tree", edit("pstree.img", |entries| {
            entries[6]["pgid"] = json!(107);
            entries[9]["pgid"] = json!(104);
        }) => "pstree.img", Some(6), "pgid", "task 109: task 107 does not lead a group";
    a_group_of_another_session: "tree", field("pstree.img", "/6/pgid", json!(111))
        => "pstree.img", Some(6), "pgid", "task 109: the leader of the group, 111, is in another session";
    a_process_id_above_all: "tree", field("pstree.img", "/6/pgid", json!(4_194_304))
        => "pstree.img", Some(6), "pgid", "4194304 is above the largest process id, 4194303";
    a_thread_in_front_of_its_task: "tree", field("pstree.img", "/13/threads", json!([116, 115, 117, 118]))
        => "pstree.img", Some(13), "threads", "task 115 itself is not the first of its threads";
    a_group_that_is_a_thread: "full-ns", field("pstree.img", "/4/pgid", json!(3))
        => "pstree.img", Some(4), "pgid", "3 is a thread of task 1";
    a_task_that_is_a_thread: "full-ns", edit("pstree.img", |entries| {
            entries[8]["pid"] = json!(3);
            entries[8]["threads"] = json!([3]);
        }) => "pstree.img", Some(8), "pid", "3 is a thread of task 1";
    threads_of_a_task_that_has_ended: "full-ns", field("pstree.img", "/6/threads", json!([0, 77]))
        => "pstree.img", Some(6), "threads", "2 threads of a task that has ended";

    // The inventory, and the ids.
    an_inventory_of_the_first_versions: "pattern", field("inventory.img", "/0/fdinfo_per_id", json!(false))
        => "inventory.img", Some(0), "fdinfo_per_id", "as CRIU before 0.4 did";
    an_inventory_without_the_ids_outside: "pattern", edit("inventory.img", |entries| {
            entries[0].as_object_mut().unwrap().remove("root_ids");
        }) => "inventory.img", Some(0), "root_ids", "missing";
    images_of_another_version: "pattern", field("inventory.img", "/0/img_version", json!(1))
        => "fs-9230.img", None, "", "the inventory is of version 1";
    a_table_that_criu_had_too: "pattern", field("ids-9230.img", "/0/files_id", json!(1))
        => "ids-9230.img", Some(0), "files_id", "the descriptor table of the CRIU that dumped it";
    a_child_in_another_namespace: "full-ns", field("ids-8.img", "/0/uts_ns_id", json!(99))
        => "ids-8.img", Some(0), "uts_ns_id", "it is not in the UTS namespace of its parent";
    a_pid_namespace_without_its_init: "pattern", field("ids-9230.img", "/0/pid_ns_id", json!(77))
        => "ids-9230.img", Some(0), "pid_ns_id", "a pid namespace without process 1";
    an_init_outside_of_its_namespace: "full-ns", field("inventory.img", "/0/root_ids/pid_ns_id", json!(9))
        => "ids-1.img", Some(0), "pid_ns_id", "process 1 can only be restored in a pid namespace of its own";

    // Core images.
    a_state_that_only_a_running_kernel_has: "pattern", field("core-9230.img", "/0/tc/task_state", json!(6))
        => "core-9230.img", Some(0), "tc.task_state", "6 is not the state of a task in a dump";
    a_root_that_has_ended: "pattern", field("core-9230.img", "/0/tc/task_state", json!(2))
        => "core-9230.img", Some(0), "tc.task_state", "the root task 9230 has ended";
    a_thread_with_the_state_of_a_task: "full-ns", edit("core-3.img", |entries| {
            entries[0]["ids"] = json!({"vm_id": 1, "files_id": 1, "fs_id": 1, "sighand_id": 1});
        }) => "core-3.img", Some(0), "ids", "only the core image of a task has it";
    a_policy_that_is_none: "pattern", set_in_thread("sched_policy", json!(6))
        => "core-9230.img", Some(0), "thread_core.sched_policy", "the scheduling policy 6 can't be restored";
    a_priority_of_no_policy: "pattern", set_in_thread("sched_prio", json!(5))
        => "core-9230.img", Some(0), "thread_core.sched_prio", "5 is not a priority of the policy 0";
    a_signal_at_the_parents_death_that_is_none: "pattern", set_in_thread("pdeath_sig", json!(65))
        => "core-9230.img", Some(0), "thread_core.pdeath_sig", "65 is not a signal";
    a_list_of_robust_futexes_of_another_size: "pattern", field("core-9230.img", "/0/thread_core/futex_rla_len", json!(20))
        => "core-9230.img", Some(0), "thread_core.futex_rla_len", "no head of 20 bytes";
    registers_of_too_few_words: "pattern", edit("core-9230.img", |entries| {
            let space = entries[0]["thread_info"]["fpregs"]["xmm_space"].as_array_mut().unwrap();
            space.truncate(10);
        }) => "core-9230.img", Some(0), "thread_info.fpregs.xmm_space", "10 words, where 64 are needed";
    a_base_that_is_no_address: "pattern", field("core-9230.img", "/0/thread_info/gpregs/fs_base", json!(0xffff_8000_0000_0000u64))
        => "core-9230.img", Some(0), "thread_info.gpregs.fs_base", "is not an address of a process";
    capabilities_that_are_not_permitted: "pattern", edit("core-9230.img", |entries| {
            let creds = &mut entries[0]["thread_core"]["creds"];
            creds["cap_prm"] = json!([0, 0]);
            creds["cap_eff"] = json!([1, 0]);
        }) => "core-9230.img", Some(0), "thread_core.creds.cap_eff", "capabilities that are not permitted";
    a_thread_without_credentials: "full-ns", edit("core-3.img", |entries| {
            entries[0]["thread_core"].as_object_mut().unwrap().remove("creds");
        }) => "core-3.img", Some(0), "thread_core.creds", "missing: the credentials of a thread";
    a_timer_of_more_than_a_second: "events", field("core-100.img", "/0/tc/timers/posix/0/vnsec", json!(1_000_000_000))
        => "core-100.img", Some(0), "tc.timers.posix[0].vnsec", "1000000000 is a second or more";
    a_timer_of_a_clock_without: "events", field("core-100.img", "/0/tc/timers/posix/0/clock_id", json!(4))
        => "core-100.img", Some(0), "tc.timers.posix[0].clock_id", "the clock 4 has no timers";
    a_timer_that_notifies_in_no_way: "events", field("core-100.img", "/0/tc/timers/posix/0/it_sigev_notify", json!(3))
        => "core-100.img", Some(0), "tc.timers.posix[0].it_sigev_notify", "3 is not a way to notify";
    an_interval_of_negative_seconds: "events", edit("core-100.img", |entries| {
            entries[0]["tc"]["timers"]["real"]["isec"] = json!(u64::MAX);
        }) => "core-100.img", Some(0), "tc.timers.real.isec", "are a negative time";
    a_timerfd_of_another_clock: "full-ns", field("files.img", "/56/tfd/clockid", json!(4))
        => "files.img", Some(56), "tfd.clockid", "4 is not a clock of timers";
    filters_in_a_circle: "full-ns", edit("seccomp.img", |entries| {
            entries[0]["seccomp_filters"][0]["prev"] = json!(1);
            entries[0]["seccomp_filters"][1]["prev"] = json!(0);
        }) => "seccomp.img", Some(0), "seccomp_filters[1].prev", "the filters before it lead back to it";
    a_filter_of_half_an_instruction: "full-ns", edit("seccomp.img", |entries| {
            entries[0]["seccomp_filters"][0]["filter"] = json!("AAAA\n");
        }) => "seccomp.img", Some(0), "seccomp_filters[0].filter", "3 bytes are not a filter";

    // Sockets, pipes, and other files.
    a_peer_that_stands_behind: "full-ns", edit("files.img", |entries| {
            // 32 stands before 35, which is of another pair.
            entries[32]["usk"]["peer"] = json!(1_487_121);
        }) => "files.img", Some(32), "usk.peer", "its peer 1487121 must stand before it";
    a_socket_without_a_peer_that_is_not_shut_down: "full-ns", edit("files.img", |entries| {
            entries[35]["usk"]["peer"] = json!(0);
            entries[36]["usk"]["peer"] = json!(0);
        }) => "files.img", Some(35), "usk.shutdown", "it has no peer, and is not shut down";
    a_listening_socket_of_datagrams: "full-ns", field("files.img", "/37/usk/type", json!(2))
        => "files.img", Some(37), "usk.state", "a datagram socket can't listen";
    a_closed_socket_with_the_port_of_a_peer: "full-ns", edit("files.img", |entries| {
            entries[41]["isk"]["state"] = json!(7);
            entries[41]["isk"]["dst_port"] = json!(1);
        }) => "tcp-stream-16b116.img", None, "", "it is closed, and has the port of a peer";
    a_listening_socket_with_the_port_of_a_peer: "full-ns", field("files.img", "/42/isk/state", json!(10))
        => "files.img", Some(42), "isk.dst_port", "a listening socket has the port 34355 of a peer";
    a_pipe_that_nobody_has_open: "full-ns", edit("files.img", |entries| {
            let mut pipe = entries[20].clone();
            pipe["id"] = json!(900);
            pipe["pipe"]["id"] = json!(900);
            entries.push(pipe);
        }) => "files.img", Some(98), "pipe.id", "no descriptor refers to the pipe 900";
    a_process_that_is_none: "full-ns", field("files.img", "/80/pidfd/nspid", json!(77))
        => "files.img", Some(80), "pidfd.nspid", "no task has the id 77";
    an_owner_of_a_file_that_is_none: "full-ns", edit("files.img", |entries| {
            entries[56]["tfd"]["fown"] = json!({"uid": 0, "euid": 0, "signum": 0, "pid_type": 1, "pid": 77});
        }) => "files.img", Some(56), "tfd.fown.pid", "no task has the id 77";
    more_data_than_a_pipe_holds: "full-ns", edit("pipes-data.img", |entries| {
            entries[0]["bytes"] = json!(5100);
            entries[0]["size"] = json!(4096);
            let text = entries[0]["extra"].as_str().unwrap().replace('\n', "");
            entries[0]["extra"] = json!(text.repeat(5));
        }) => "pipes-data.img", Some(0), "bytes", "5100 bytes in a pipe of 4096";
    two_watches_of_one_number: "full-ns", edit("files.img", |entries| {
            let watches = entries[61]["ify"]["wd"].as_array_mut().unwrap();
            let number = watches[0]["wd"].clone();
            watches[1]["wd"] = number;
        }) => "files.img", Some(61), "ify.wd[1].wd", "duplicate watch";
    a_ghost_of_another_mode: "ghost", field("ghost-file-1.img", "/0/mode", json!(0o100_400))
        => "ghost-file-1.img", Some(0), "mode", "0o100400, and the file had 0o";
    a_slave_whose_master_nobody_has: "full-ns", edit("tty-info.img", |entries| {
            entries[0].as_object_mut().unwrap().remove("pty");
        }) => "tty-info.img", Some(0), "pty", "missing in a pseudoterminal";

    // Memory.
    a_mapping_of_no_kind: "pattern", edit("mm-9230.img", |entries| {
            entries[0]["vmas"][0]["flags"] = json!(0);
        }) => "mm-9230.img", Some(0), "vmas[0].flags", "0x0 is neither shared nor private";
    a_mapping_of_no_file_that_is_shared_and_private: "pattern", edit("mm-9230.img", |entries| {
            let vmas = entries[0]["vmas"].as_array_mut().unwrap();
            // 1 << 9 is VMA_ANON_PRIVATE; MAP_PRIVATE is 2.
            let heap = vmas.iter_mut().find(|vma| vma["status"].as_u64().unwrap() & 1 << 9 != 0);
            let heap = heap.unwrap();
            heap["flags"] = json!(heap["flags"].as_u64().unwrap() | 3);
            let status = heap.clone();
            vmas[0] = status;
        }) => "mm-9230.img", Some(0), "vmas[0].flags", "is either shared or private, not both";
    an_offset_inside_of_a_page: "pattern", edit("mm-9230.img", |entries| {
            entries[0]["vmas"][0]["pgoff"] = json!(100);
        }) => "mm-9230.img", Some(0), "vmas[0].pgoff", "0x64 is not the offset of a page";
    mappings_out_of_order: "pattern", edit("mm-9230.img", |entries| {
            entries[0]["vmas"].as_array_mut().unwrap().swap(0, 4);
        }) => "mm-9230.img", Some(0), "vmas[1].start", "is before the start of the mapping before it";
    advice_that_is_none: "pattern", edit("mm-9230.img", |entries| {
            entries[0]["vmas"][0]["madv"] = json!(1u64 << 40);
        }) => "mm-9230.img", Some(0), "vmas[0].madv", "has bits that are no advice";
    pages_that_do_not_fit_the_entries: "pattern", edit("pagemap-9230.img", |entries| {
            entries.remove(1);
        }) => "pagemap-9230.img", None, "", "is not one: entries before it do not fit pages-3.img";
    code_of_no_byte: "pattern", edit("mm-9230.img", |entries| {
            let start = entries[0]["mm_start_code"].clone();
            entries[0]["mm_end_code"] = start;
        }) => "mm-9230.img", Some(0), "mm_end_code", "is not above the start";
    pages_of_shared_memory_in_a_tasks_pagemap: "app", edit("mm-100.img", |entries| {
            let vmas = entries[0]["vmas"].as_array_mut().unwrap();
            for vma in vmas {
                // VMA_ANON_PRIVATE becomes VMA_ANON_SHARED.
                let status = vma["status"].as_u64().unwrap();
                if status & 1 << 9 != 0 {
                    vma["status"] = json!(status & !(1 << 9) | 1 << 8);
                }
            }
        }) => "pagemap-100.img", Some(13), "vaddr", "is in a mapping that has none of its own";
    a_segment_that_is_none: "full-ns", edit("ipcns-shm-11.img", |entries| {
            entries[0]["desc"]["id"] = json!(50);
        }) => "mm-1.img", Some(0), "vmas[14].shmid", "no SysV segment has the id 0";
    a_parent_that_is_gone: "pattern", Box::new(|dir| {
            std::os::unix::fs::symlink("../gone", dir.join("parent")).unwrap();
        }) => "parent", None, "", "`../gone` is not there";

    // Namespaces and mounts.
    a_clock_that_would_overflow: "full-ns", field("timens-13.img", "/0/boottime/tv_sec", json!(1u64 << 40))
        => "timens-13.img", Some(0), "boottime.tv_sec", "is more seconds than a clock may have, 4611686018";
    a_flag_that_is_the_kernels: "full-ns", field("mountpoints-14.img", "/2/flags", json!("0x80000000"))
        => "mountpoints-14.img", Some(2), "flags", "0x80000000 has a flag that no mount has";
    a_bind_mount_of_another_source: "full-ns", edit("mountpoints-14.img", |entries| {
            let mut bind = entries[2].clone();
            bind["mnt_id"] = json!(900);
            bind["root"] = json!("/below");
            bind["mountpoint"] = json!("/run/below");
            bind["source"] = json!("other");
            entries.insert(0, bind);
        }) => "mountpoints-14.img", Some(0), "source", "no mount that it could be a bind mount of";
    a_filter_of_a_negative_length: "full-ns", bytes("seccomp.img", |bytes| bytes[8..12].fill(0xff))
        => "seccomp.img", Some(0), "", "entry length 4294967295 exceeds";
    a_working_directory_that_is_a_file: "full-ns", edit("fs-7.img", |entries| entries[0]["cwd_id"] = json!(7))
        => "fs-7.img", Some(0), "cwd_id", "the file 7 is not a directory";
    routes_without_their_magic: "full-ns", bytes("route-10.img", |bytes| bytes[0] ^= 1)
        => "route-10.img", None, "", "its magic is missing";
    addresses_with_more_behind: "full-ns", bytes("ifaddr-10.img", |bytes| bytes.extend([1, 0, 0, 0]))
        => "ifaddr-10.img", None, "", "are not netlink messages up to its end";
    firewall_rules_of_garbage: "full-ns", bytes("iptables-10.img", |bytes| bytes.extend([7; 30]))
        => "iptables-10.img", None, "", "it is not what `iptables-save` writes";
    a_tarball_that_is_cut: "full-ns", bytes("tmpfs-dev-23.tar.gz.img", |bytes| bytes.truncate(60))
        => "tmpfs-dev-23.tar.gz.img", None, "", "the tarball can't be unpacked";
    a_network_that_is_none: "full-ns", edit("ids-1.img", |entries| {
            entries[0].as_object_mut().unwrap().remove("net_ns_id");
        }) => "ids-1.img", Some(0), "net_ns_id", "missing: the root task's network namespace";
    an_id_map_without_root: "userns", edit("userns-14.img", |entries| {
            entries[0]["uid_map"][0]["first"] = json!(1);
        }) => "userns-14.img", Some(0), "uid_map", "no extent has the id 0";
    two_mounts_at_one_place: "full-ns", edit("mountpoints-14.img", |entries| {
            let place = entries[2]["mountpoint"].clone();
            entries[1]["mountpoint"] = place;
            let parent = entries[2]["parent_mnt_id"].clone();
            entries[1]["parent_mnt_id"] = parent;
        }) => "mountpoints-14.img", Some(2), "mountpoint", "entry 1 is mounted there on the same parent";
    a_tmpfs_without_its_content: "full-ns", Box::new(|dir| {
            for entry in std::fs::read_dir(dir).unwrap().flatten() {
                if entry.file_name().to_string_lossy().starts_with("tmpfs-dev-") {
                    std::fs::remove_file(entry.path()).unwrap();
                }
            }
        }) => "tmpfs-dev-23.tar.gz.img", None, "", "missing: the content of the mount";
    a_device_below_one_that_is_none: "full-ns", edit("netdev-10.img", |entries| {
            entries[0]["master"] = json!(77);
        }) => "netdev-10.img", Some(0), "master", "no device has the number 77";
    a_length_that_lies: "pattern", bytes("ids-9230.img", |bytes| bytes[8] = 0xff)
        => "ids-9230.img", Some(0), "", "exceeds";
}

mod options_of_restore {
    use super::*;

    faults! {
        "warning":
        connections_that_were_closed: "sockets", edit("inventory.img", |entries| {
                entries[0]["tcp_close"] = json!(true);
            }) => "inventory.img", Some(0), "tcp_close", "restore needs --tcp-close";
        a_job_of_a_shell: "simple", edit("pstree.img", |entries| entries[0]["sid"] = json!(50))
            => "pstree.img", Some(0), "sid", "restore needs --shell-job";
        pages_that_the_server_has: "pattern", field("pagemap-9230.img", "/5/flags", json!("PE_LAZY"))
            => "pagemap-9230.img", None, "", "restore needs --lazy-pages";
        a_socket_whose_peer_is_outside: "full-ns", edit("files.img", |entries| {
                entries[33]["usk"]["uflags"] = json!(1);
                entries[33]["usk"]["peer"] = json!(0);
                entries[33]["usk"]["name"] = json!("/run/outside=00");
            }) => "files.img", Some(34), "usk.peer", "restore needs --ext-unix-sk";
        an_external_network: "full-ns", edit("netns-10.img", |entries| entries[0]["ext_key"] = json!("extRootNetNS"))
            => "netns-10.img", Some(0), "ext_key", "restore needs --inherit-fd 'fd[N]:extRootNetNS'";
        a_plugin_that_was_used: "pattern", edit("inventory.img", |entries| {
                entries[0]["plugins_entry"] = json!({"plugins": ["cuda_plugin"]});
            }) => "inventory.img", Some(0), "plugins_entry.plugins", "restore needs the plugins that the dump used: cuda_plugin";
    }
}

/// What CRIU leaves out when it would be empty, and what a task that has ended does not need.
mod no_errors {
    use super::super::{copy_of, findings};
    use super::*;

    fn sound(dump: &str, plant: super::super::Plant) {
        let dir = copy_of(dump);
        plant(dir.path());
        let (_, all) = findings(dir.path());
        let errors: Vec<_> = all
            .iter()
            .filter(|f| f["severity"] == "error" && f["rule"] != "missing-pages")
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }

    macro_rules! sound {
        ($($name:ident: $dump:literal, $plant:expr;)*) => {
            $(#[test]
            fn $name() {
                sound($dump, $plant);
            })*
        };
    }

    sound! {
        the_thread_of_a_zombie_that_was_never_written: "full-ns",
            field("pstree.img", "/6/threads", json!([1_879_333_408u32]));
        an_empty_network: "full-ns", Box::new(|dir| {
            for name in ["netdev-10.img", "netns-10.img", "ifaddr-10.img", "route-10.img", "route6-10.img", "rule-10.img"] {
                std::fs::remove_file(dir.join(name)).unwrap();
            }
        });
        an_empty_descriptor_table: "full-ns", edit("files.img", |_| ());
        connections_without_streams_that_were_closed: "sockets", Box::new(|dir| {
            super::super::edit_image(dir, "inventory.img", |entries| entries[0]["tcp_close"] = json!(true));
            for entry in std::fs::read_dir(dir).unwrap().flatten() {
                if entry.file_name().to_string_lossy().starts_with("tcp-stream-") {
                    std::fs::remove_file(entry.path()).unwrap();
                }
            }
        });
        statistics_and_logs: "pattern", Box::new(|dir| {
            let _ = std::fs::remove_file(dir.join("stats-dump"));
            std::fs::write(dir.join("dump.log"), "(00.000000) text").unwrap();
            std::fs::write(dir.join("descriptors.json"), "[]").unwrap();
            std::fs::write(dir.join("restore.pid"), "1").unwrap();
            for name in ["amdgpu-kfd-1.img", "amdgpu-renderD-128.img", "amdgpu-pages-1-1f.img"] {
                std::fs::write(dir.join(name), [8, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
            }
        });
        a_mapping_that_may_be_dropped: "pattern", edit("mm-9230.img", |entries| {
            // MAP_DROPPABLE is a kind of its own beside shared and private.
            let vmas = entries[0]["vmas"].as_array_mut().unwrap();
            let anonymous = vmas.iter_mut().find(|vma| vma["status"].as_u64().unwrap() & 1 << 9 != 0);
            anonymous.unwrap()["flags"] = json!(0x28);
        });
        files_that_nobody_has_open: "full-ns", edit("files.img", |entries| {
            for place in [0, 56] {
                let mut file = entries[place].clone();
                let id = 900 + place as u64;
                file["id"] = json!(id);
                let name = if place == 0 { "reg" } else { "tfd" };
                file[name]["id"] = json!(id);
                entries.push(file);
            }
        });
    }

    #[test]
    fn without_a_pidfile_or_page_the_listing_of_zombies_has_no_such_thread() {
        let dir = copy_of("full-ns");
        field("pstree.img", "/6/threads", json!([1_879_333_408u32]))(dir.path());
        let run = super::super::crit_in(dir.path(), &["x", ".", "threads", "-p", "11"], b"");
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        assert!(!run.text().contains("1879333408"), "{}", run.text());
        let run = super::super::crit_in(dir.path(), &["x", ".", "threads", "--json"], b"");
        let all = run.json();
        let zombie = all
            .as_array()
            .unwrap()
            .iter()
            .find(|task| task["pid"] == 11)
            .unwrap();
        assert_eq!(zombie["threads"][0]["tid"], 11);
    }
}
