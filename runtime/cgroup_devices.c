/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device rules of a cgroup, as a program that the kernel asks at each access
 *
 *      last rule that matches decides ─▶ so the program tests them from the last to the first
 *
 * The standard devices of a container are allowed behind all rules, as other runtimes do, and so is
 * making nodes, which gives no access by itself.
 * Spec: OCI runtime-spec 1.2, config-linux.md, "Allowed Device list"; BPF_PROG_TYPE_CGROUP_DEVICE
 */
#include "runtime/cgroup.h"

#include "base/cleanup.h"

#include <linux/bpf.h>
#include <sys/syscall.h>

#define INSNS_OF_RULE 9
#define ACCESS_ALL    (BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE)

static const struct spec_device_rule standard[] = {
	{ true, 'c', { false, 0 }, { false, 0 }, "m" },
	{ true, 'b', { false, 0 }, { false, 0 }, "m" },
	{ true, 'c', { true, 1 }, { true, 3 }, NULL }, /* null */
	{ true, 'c', { true, 1 }, { true, 5 }, NULL }, /* zero */
	{ true, 'c', { true, 1 }, { true, 7 }, NULL }, /* full */
	{ true, 'c', { true, 1 }, { true, 8 }, NULL }, /* random */
	{ true, 'c', { true, 1 }, { true, 9 }, NULL }, /* urandom */
	{ true, 'c', { true, 5 }, { true, 0 }, NULL }, /* tty */
	{ true, 'c', { true, 5 }, { true, 1 }, NULL }, /* console */
	{ true, 'c', { true, 5 }, { true, 2 }, NULL }, /* ptmx */
	{ true, 'c', { true, 136 }, { false, 0 }, NULL }, /* pts */
};

struct program {
	struct bpf_insn *v;
	size_t n;
};

static void add(
	struct program *p, unsigned int code, unsigned int dst, unsigned int src, int32_t imm)
{
	p->v[p->n++] = (struct bpf_insn){ .code = (uint8_t)code,
		.dst_reg = (uint8_t)(dst & 15),
		.src_reg = (uint8_t)(src & 15),
		.imm = imm };
}

/* Registers: 2 type, 3 access, 4 major, 5 minor; 1 is free once they are loaded. */
static void add_loads(struct program *p)
{
	for (int i = 0; i < 3; i++) {
		static const unsigned int to[] = { 2, 4, 5 };

		add(p, BPF_LDX | BPF_MEM | BPF_W, to[i], 1, 0);
		p->v[p->n - 1].off = (int16_t)(4 * i);
	}
	add(p, BPF_ALU64 | BPF_MOV | BPF_X, 3, 2, 0);
	add(p, BPF_ALU64 | BPF_AND | BPF_K, 2, 0, 0xffff);
	add(p, BPF_ALU64 | BPF_RSH | BPF_K, 3, 0, 16);
}

static int32_t access_of(const struct spec_device_rule *rule)
{
	int32_t mask = 0;

	for (const char *c = rule->access ? rule->access : "rwm"; *c; c++)
		mask |= *c == 'r'   ? BPF_DEVCG_ACC_READ
			: *c == 'w' ? BPF_DEVCG_ACC_WRITE
				    : BPF_DEVCG_ACC_MKNOD;
	return mask;
}

static bool is_number(const struct spec_i64 *v)
{
	return v->set && v->v >= 0;
}

/*
 * Each test that fails jumps behind the rule; how far is known when the rule is complete.
 * Return: whether something can come behind it: the kernel refuses what is never reached.
 */
static bool add_rule(struct program *p, const struct spec_device_rule *rule)
{
	size_t jumps[4], n_jumps = 0;
	int32_t mask = access_of(rule);

	if (rule->type != 'a') {
		jumps[n_jumps++] = p->n;
		add(p, BPF_JMP | BPF_JNE | BPF_K, 2, 0,
			rule->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	}
	if (mask != ACCESS_ALL) {
		/* Allowed if nothing else is wanted; forbidden if anything of it is. */
		add(p, BPF_ALU64 | BPF_MOV | BPF_X, 1, 3, 0);
		add(p, BPF_ALU64 | BPF_AND | BPF_K, 1, 0, rule->allow ? ~mask : mask);
		jumps[n_jumps++] = p->n;
		add(p, BPF_JMP | (rule->allow ? BPF_JNE : BPF_JEQ) | BPF_K, 1, 0, 0);
	}
	if (rule->type != 'a' && is_number(&rule->major)) {
		jumps[n_jumps++] = p->n;
		add(p, BPF_JMP | BPF_JNE | BPF_K, 4, 0, (int32_t)rule->major.v);
	}
	if (rule->type != 'a' && is_number(&rule->minor)) {
		jumps[n_jumps++] = p->n;
		add(p, BPF_JMP | BPF_JNE | BPF_K, 5, 0, (int32_t)rule->minor.v);
	}
	add(p, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, rule->allow);
	add(p, BPF_JMP | BPF_EXIT, 0, 0, 0);
	for (size_t i = 0; i < n_jumps; i++)
		p->v[jumps[i]].off = (int16_t)(p->n - jumps[i] - 1);
	return n_jumps > 0;
}

static int load(const struct program *p)
{
	static const char licence[] = "Apache-2.0";
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insn_cnt = (uint32_t)p->n,
		.insns = (uint64_t)(uintptr_t)p->v,
		.license = (uint64_t)(uintptr_t)licence };
	int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));

	return fd < 0 ? -errno : fd;
}

int cgroup_filter_devices(int fd, const struct spec_resources *res, struct err *err)
{
	size_t max = 16 + INSNS_OF_RULE * (res->n_devices + ARRAY_SIZE(standard));
	auto_free struct bpf_insn *insns = calloc(max, sizeof(*insns));
	struct program p = { insns, 0 };
	union bpf_attr attr = { 0 };
	auto_fd prog = -1;
	bool open = true;

	if (!insns)
		return err_set(err, -ENOMEM, "cannot filter devices");
	add_loads(&p);
	for (size_t i = ARRAY_SIZE(standard); i-- > 0;)
		(void)add_rule(&p, &standard[i]);
	for (size_t i = res->n_devices; open && i-- > 0;)
		open = add_rule(&p, &res->devices[i]);
	if (open) {
		add(&p, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0);
		add(&p, BPF_JMP | BPF_EXIT, 0, 0, 0);
	}
	prog = load(&p);
	if (prog < 0)
		return err_set(err, prog, "cannot load the device rules");
	attr.target_fd = (uint32_t)fd;
	attr.attach_bpf_fd = (uint32_t)prog;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	return syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof(attr)) < 0
		       ? err_set(err, -errno, "cannot apply the device rules")
		       : 0;
}
