# What is generated completes options first, even where a file is wanted. Here they are only offered
# after a dash, so that where nothing else fits, bash completes files.
_crit_words() {
    local word="$2" before="$3" reply kept=()
    # Bash takes the = of --option=VALUE for a word of its own.
    if [[ "$before" == "=" && $COMP_CWORD -ge 2 ]]; then
        before="${COMP_WORDS[COMP_CWORD-2]}"
    elif [[ "${COMP_WORDS[COMP_CWORD]}" == "=" ]]; then
        word=""
    fi
    COMPREPLY=()
    _crit "$1" "$word" "$before"
    [[ "$word" == -* ]] && return
    for reply in "${COMPREPLY[@]}"; do
        case "$reply" in
            -* | "<"* | "["*) ;;
            *) kept+=("$reply") ;;
        esac
    done
    COMPREPLY=("${kept[@]}")
    case "${COMP_WORDS[1]} $COMP_CWORD" in
        # The first is a checkpoint, the topic comes behind it.
        "x 2") COMPREPLY=() ;;
        "man 3")
            [[ "${COMP_WORDS[2]}" == schema ]] && COMPREPLY=($(compgen -W "@SCHEMA@" -- "$word"))
            ;;
        "schema 3" | "schema 4")
            [[ "${COMP_WORDS[2]}" == diff ]] && COMPREPLY=($(compgen -W built-in -- "$word") $(compgen -f -- "$word"))
            ;;
    esac
}

