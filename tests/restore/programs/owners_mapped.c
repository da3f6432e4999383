/* owners.c in a user namespace. */
#define _GNU_SOURCE
#include <sched.h>
#define NAMESPACES (CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC)
#include "owners.c"
