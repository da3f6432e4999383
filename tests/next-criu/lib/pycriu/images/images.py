handlers = {
    'PSTREE': entry_handler(pb.pstree_entry),
    'FDINFO': entry_handler(pb.fdinfo_entry),
    'RELIC':
        entry_handler(
            pb.relic_item),
}
