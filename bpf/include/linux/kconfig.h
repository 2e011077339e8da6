/* bcc forces this header into every program; the kernel's own configuration does not matter to ours. */
#define CONFIG_BPF_SYSCALL 1
