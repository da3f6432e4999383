#include "protobuf-desc.h"
#define CR_PB_DESC(__type, __vtype, __ftype) CR_PB_MDESC_INIT(cr_pb_descs[PB_##__type], __vtype##Entry, __ftype##_entry)
void cr_pb_init(void)
{
	CR_PB_DESC(QUANTUM,
		   Quantum,	quantum);
#include "protobuf-desc-gen.h"
}
