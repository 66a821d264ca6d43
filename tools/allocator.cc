// mimalloc serves every new and delete of the binary; this is the one file that includes it.
#include <mimalloc-new-delete.h>
