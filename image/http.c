/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP by libcurl (the contract is in the header)
 *
 *      http_open() ── head complete? ─▶ redirect? ─▶ again
 *           │ curl_multi_perform, curl_multi_poll
 *      on_body() ─▶ h->body, paused above BODY_BYTES ─▶ next(): lent as it lies
 *
 * One easy handle in one multi handle: perform and poll give libcurl's push the shape of a pull, in
 * the caller's thread, and the connection stays open between requests.
 */
#define CURL_DISABLE_TYPECHECK
#include "image/http.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <dlfcn.h>
#include <stddef.h>
#include <strings.h>
#include <sys/socket.h>

#define BODY_BYTES  (1 << 20)
#define DRAIN_BYTES (64 << 10) /* of a redirect's body, to keep the connection */

/* The functions of libcurl that we call, under the names of their pointers. */
#define CURL_FUNCTIONS(X)                                                                          \
	X(global_init)                                                                             \
	X(easy_init)                                                                               \
	X(easy_setopt)                                                                             \
	X(easy_getinfo)                                                                            \
	X(easy_reset)                                                                              \
	X(easy_cleanup)                                                                            \
	X(easy_pause)                                                                              \
	X(easy_strerror)                                                                           \
	X(multi_init)                                                                              \
	X(multi_add_handle)                                                                        \
	X(multi_remove_handle)                                                                     \
	X(multi_perform)                                                                           \
	X(multi_poll)                                                                              \
	X(multi_info_read)                                                                         \
	X(multi_cleanup)                                                                           \
	X(slist_append)                                                                            \
	X(slist_free_all)

struct http_lib {
	void *dl;
#define X(name) __typeof__(curl_##name) *name;
	CURL_FUNCTIONS(X)
#undef X
};

enum phase { PHASE_IDLE, PHASE_HEAD, PHASE_BODY, PHASE_DONE };

struct http {
	struct source source; /* of the body; &h->source is what http_open() returns */
	struct http_lib *lib;
	struct http_options opts;
	CURL *easy;
	CURLM *multi;
	struct curl_slist *headers;
	struct http_response *resp; /* until the head is complete */
	const struct url *home;
	struct url now; /* where the current hop goes */
	enum phase phase;
	bool added, paused, lent, has_proxy;
	CURLcode result; /* in PHASE_DONE */
	size_t header_bytes;
	size_t body_len;
	char curl_text[CURL_ERROR_SIZE];
	uint8_t body[BODY_BYTES + CURL_MAX_WRITE_SIZE];
};

int http_lib_open(struct http_lib **ret, struct err *err)
{
	struct http_lib *lib = calloc(1, sizeof(*lib));
	bool complete = true;

	if (!lib)
		return err_set(err, -ENOMEM, "cannot load libcurl");
	lib->dl = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
	if (!lib->dl)
		lib->dl = dlopen("libcurl-gnutls.so.4", RTLD_NOW | RTLD_LOCAL);
	if (lib->dl) {
#define X(name)                                                                                    \
	lib->name = (__typeof__(lib->name))dlsym(lib->dl, "curl_" #name);                          \
	complete = complete && lib->name;
		CURL_FUNCTIONS(X)
#undef X
	}
	if (!lib->dl || !complete || lib->global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		http_lib_close(lib);
		err_say(err, -ELIBACC,
			"registries need libcurl 7.66 or later, which does not load");
		return err_hint(err, -ELIBACC, "install libcurl4");
	}
	*ret = lib;
	return 0;
}

void http_lib_close(struct http_lib *lib)
{
	/* Neither curl_global_cleanup() nor dlclose(): TLS libraries do not survive them well. */
	free(lib);
}

/* ---- what libcurl calls ---- */

static void copy_value(char *ret, size_t room, const char *value, size_t len)
{
	if (len >= room)
		len = room - 1;
	memcpy(ret, value, len);
	ret[len] = '\0';
}

/* Headers that are kept as text. */
#define FIELD(name, member)                                                                        \
	{                                                                                          \
		name, offsetof(struct http_response, member),                                      \
			sizeof(((struct http_response *)0)->member)                                \
	}
static const struct {
	const char *name;
	size_t offset, room;
} fields[] = {
	FIELD("content-type", content_type),
	FIELD("retry-after", retry_after),
	FIELD("content-range", content_range),
	FIELD("range", range),
};

static void read_header(struct http_response *resp, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	size_t name_len, n;
	const char *value;
	char text[8192];
	uint64_t number;

	if (!colon)
		return;
	name_len = (size_t)(colon - line);
	value = colon + 1;
	n = len - name_len - 1;
	while (n && (*value == ' ' || *value == '\t'))
		value++, n--;
	while (n && strchr(" \t\r\n", value[n - 1]))
		n--;
#define IS(name) (name_len == strlen(name) && strncasecmp(line, name, name_len) == 0)
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (IS(fields[i].name))
			copy_value((char *)resp + fields[i].offset, fields[i].room, value, n);
	copy_value(text, sizeof(text), value, n);
	if (IS("content-length") && str_to_u64(text, INT64_MAX, &number) == 0)
		resp->content_length = (int64_t)number;
	else if (IS("oci-chunk-min-length") && str_to_u64(text, INT64_MAX, &number) == 0)
		resp->chunk_min = number;
	else if (IS("www-authenticate"))
		challenge_parse(text, &resp->challenge);
	else if (IS("location") && n < sizeof(resp->location))
		copy_value(resp->location, sizeof(resp->location), value, n);
#undef IS
}

static size_t on_header(char *line, size_t size, size_t n, void *ctx)
{
	struct http *h = ctx;
	size_t len = size * n;
	long status = 0;

	h->header_bytes += len;
	if (h->header_bytes > LIMIT_HTTP_HEADER_BYTES)
		return 0;
	/* Trailers come after the body and do not matter. */
	if (h->phase != PHASE_HEAD || !h->resp)
		return len;
	if (len > 5 && memcmp(line, "HTTP/", 5) == 0) {
		memset(h->resp, 0, sizeof(*h->resp));
		h->resp->content_length = -1;
	} else if (len <= 2 && (line[0] == '\r' || line[0] == '\n')) {
		(void)h->lib->easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
		h->resp->status = (int)status;
		/* After an interim answer (100, 103) the real one is still to come. */
		if (status >= 200)
			h->phase = PHASE_BODY;
	} else {
		read_header(h->resp, line, len);
	}
	return len;
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
	struct http *h = ctx;
	size_t len = size * n;

	if (h->lent || h->body_len + len > sizeof(h->body)) {
		h->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	memcpy(h->body + h->body_len, data, len);
	h->body_len += len;
	return len;
}

enum line_kind { LINE_FAR, LINE_LOOPBACK, LINE_LINK_LOCAL };

static enum line_kind kind_of(const struct sockaddr *sa)
{
	uint32_t v4;

	if (sa->sa_family == AF_INET) {
		v4 = ntohl(((const struct sockaddr_in *)sa)->sin_addr.s_addr);
	} else if (sa->sa_family == AF_INET6) {
		const struct in6_addr *a = &((const struct sockaddr_in6 *)sa)->sin6_addr;

		if (IN6_IS_ADDR_LOOPBACK(a))
			return LINE_LOOPBACK;
		if (IN6_IS_ADDR_LINKLOCAL(a))
			return LINE_LINK_LOCAL;
		if (!IN6_IS_ADDR_V4MAPPED(a))
			return LINE_FAR;
		memcpy(&v4, &a->s6_addr[12], sizeof(v4));
		v4 = ntohl(v4);
	} else {
		return LINE_FAR;
	}
	if (v4 >> 24 == 127 || v4 == 0)
		return LINE_LOOPBACK;
	return v4 >> 16 == 0xa9fe ? LINE_LINK_LOCAL : LINE_FAR;
}

/* The address is known here, whatever name led to it.  A proxy decides by itself. */
static curl_socket_t on_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct http *h = ctx;
	enum line_kind kind = kind_of(&a->addr);
	int fd;

	if (!h->has_proxy && !str_eq(h->now.host, h->home->host) &&
		(kind == LINE_LINK_LOCAL || (kind == LINE_LOOPBACK && !url_is_loopback(h->home)))) {
		log_debug("image", "refused to connect host='%s'", h->now.host);
		return CURL_SOCKET_BAD;
	}
	fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

/* ---- running ---- */

static bool env_is_set(const char *name)
{
	const char *v = getenv(name);

	return v && *v;
}

static bool has_proxy(void)
{
	return env_is_set("http_proxy") || env_is_set("https_proxy") || env_is_set("HTTPS_PROXY") ||
	       env_is_set("all_proxy") || env_is_set("ALL_PROXY");
}

int http_new(
	struct http **ret, struct http_lib *lib, const struct http_options *opts, struct err *err)
{
	struct http *h = calloc(1, sizeof(*h));

	if (h) {
		h->lib = lib;
		h->opts = *opts;
		h->easy = lib->easy_init();
		h->multi = lib->multi_init();
		h->has_proxy = has_proxy();
	}
	if (!h || !h->easy || !h->multi) {
		http_free(h);
		return err_set(err, -ENOMEM, "cannot prepare a connection");
	}
	*ret = h;
	return 0;
}

static void end_transfer(struct http *h)
{
	if (h->added)
		(void)h->lib->multi_remove_handle(h->multi, h->easy);
	h->added = false;
	h->lib->slist_free_all(h->headers);
	h->headers = NULL;
	h->phase = PHASE_IDLE;
	h->body_len = 0;
	h->lent = h->paused = false;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	end_transfer(h);
	if (h->easy)
		h->lib->easy_cleanup(h->easy);
	if (h->multi)
		(void)h->lib->multi_cleanup(h->multi);
	free(h);
}

/* Let libcurl work until @until is reached or it is done; 0 or -ECANCELED. */
static int run(struct http *h, bool (*until)(const struct http *h))
{
	while (h->phase != PHASE_DONE && !until(h)) {
		struct curl_waitfd cancel = { h->opts.cancel_fd, CURL_WAIT_POLLIN, 0 };
		unsigned int n_cancel = h->opts.cancel_fd >= 0;
		int running = 0, left;
		CURLMsg *msg;

		if (h->lib->multi_perform(h->multi, &running) != CURLM_OK)
			return -ENOMEM;
		while ((msg = h->lib->multi_info_read(h->multi, &left)))
			if (msg->msg == CURLMSG_DONE) {
				h->result = msg->data.result;
				h->phase = PHASE_DONE;
			}
		if (h->phase == PHASE_DONE || until(h))
			break;
		(void)h->lib->multi_poll(h->multi, &cancel, n_cancel, 1000, NULL);
		if (cancel.revents)
			return -ECANCELED;
	}
	return 0;
}

static bool head_is_complete(const struct http *h)
{
	return h->phase >= PHASE_BODY;
}

static bool has_body(const struct http *h)
{
	return h->body_len > 0;
}

/* What a code of libcurl means here. */
static int errno_of(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return -EHOSTUNREACH;
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
		return -EPROTO;
	default:
		return -ECONNRESET;
	}
}

static bool is_transient(CURLcode code)
{
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return true;
	default:
		return false;
	}
}

static int fail(struct http *h, struct err *err)
{
	int code = errno_of(h->result);
	auto_free char *text =
		strdup(h->curl_text[0] ? h->curl_text : h->lib->easy_strerror(h->result));

	/* Our lines begin small. */
	if (text && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[1] <= 'z')
		text[0] = (char)(text[0] - 'A' + 'a');
	err_say(err, code, "%s", text ? text : "the connection failed");
	if (h->result == CURLE_PEER_FAILED_VERIFICATION)
		return err_hint(err, code,
			"name the CA's certificates with SSL_CERT_FILE, or use --tls-verify=false");
	if (h->has_proxy && (code == -ECONNREFUSED || code == -EHOSTUNREACH))
		return err_hint(err, code,
			"a proxy is set in the environment (http_proxy, https_proxy, all_proxy, "
			"no_proxy)");
	return code;
}

static int body_next(struct source *s, const uint8_t **ret, size_t *ret_len, struct err *err)
{
	struct http *h = (struct http *)s;

	if (h->lent) {
		h->lent = false;
		h->body_len = 0;
	}
	if (h->paused) {
		h->paused = false;
		(void)h->lib->easy_pause(h->easy, CURLPAUSE_CONT);
	}
	if (run(h, has_body) < 0)
		return err_say(err, -ECANCELED, "cancelled");
	if (h->body_len > 0) {
		h->lent = true;
		*ret = h->body;
		*ret_len = h->body_len;
		return 1;
	}
	return h->result == CURLE_OK ? 0 : fail(h, err);
}

static void body_close(struct source *s)
{
	end_transfer((struct http *)s);
}

bool http_is_transient(const struct http *h)
{
	return is_transient(h->result);
}

/* ---- a request ---- */

static int add_header(struct http *h, const char *name, const char *value)
{
	/* libcurl takes "NAME:" as the wish to leave its own header out. */
	auto_free char *line = str_format(*value ? "%s: %s" : "%s:", name, value);
	struct curl_slist *longer = line ? h->lib->slist_append(h->headers, line) : NULL;

	if (!longer)
		return -ENOMEM;
	h->headers = longer;
	return 0;
}

static int add_headers(struct http *h, const struct http_request *req, bool with_authorization)
{
	char range[64];
	int r = add_header(h, "Accept-Encoding", "identity");

	if (r == 0 && req->accept)
		r = add_header(h, "Accept", req->accept);
	if (r == 0 && req->authorization && with_authorization)
		r = add_header(h, "Authorization", req->authorization);
	snprintf(range, sizeof(range), "bytes=%llu-", (unsigned long long)req->from);
	if (r == 0 && req->from > 0)
		r = add_header(h, "Range", range);
	if (r == 0 && req->content_type)
		r = add_header(h, "Content-Type", req->content_type);
	if (r == 0 && req->content_range)
		r = add_header(h, "Content-Range", req->content_range);
	/* No waiting for a leave to send. */
	if (r == 0 && req->body)
		r = add_header(h, "Expect", "");
	return r;
}

#define SET(opt, value) (void)h->lib->easy_setopt(h->easy, opt, value)

static bool is_insecure(const struct http_request *req)
{
	return req->trust && req->trust->insecure;
}

/* What certs.d says about the home; the system's own CAs still count, by their directory. */
static void set_trust(struct http *h, const struct http_trust *t)
{
	if (t->ca_pem) {
		struct curl_blob ca = { t->ca_pem, strlen(t->ca_pem), CURL_BLOB_COPY };

		SET(CURLOPT_CAINFO_BLOB, &ca);
	}
	if (t->cert_path && t->key_path) {
		SET(CURLOPT_SSLCERT, t->cert_path);
		SET(CURLOPT_SSLKEY, t->key_path);
	}
}

static void set_options(struct http *h, const struct http_request *req, const char *url)
{
	long timeout = h->opts.timeout_s ? (long)h->opts.timeout_s : HTTP_TIMEOUT_S;

	h->lib->easy_reset(h->easy);
	SET(CURLOPT_URL, url);
	SET(CURLOPT_PROTOCOLS_STR, h->now.is_tls ? "https" : "http");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_UNRESTRICTED_AUTH, 0L);
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_HTTPHEADER, h->headers);
	SET(CURLOPT_USERAGENT, "lamina/" LAMINA_VERSION);
	SET(CURLOPT_ERRORBUFFER, h->curl_text);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_BUFFERSIZE, 512L << 10);
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(CURLOPT_CONNECTTIMEOUT, timeout);
	SET(CURLOPT_LOW_SPEED_LIMIT, (long)HTTP_LEAST_SPEED);
	SET(CURLOPT_LOW_SPEED_TIME, timeout);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, h);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, h);
	SET(CURLOPT_OPENSOCKETFUNCTION, on_socket);
	SET(CURLOPT_OPENSOCKETDATA, h);
	if (env_is_set("SSL_CERT_FILE"))
		SET(CURLOPT_CAINFO, getenv("SSL_CERT_FILE"));
	if (env_is_set("SSL_CERT_DIR"))
		SET(CURLOPT_CAPATH, getenv("SSL_CERT_DIR"));
	if (is_insecure(req)) {
		SET(CURLOPT_SSL_VERIFYPEER, 0L);
		SET(CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (req->trust && url_same_origin(&h->now, req->home))
		set_trust(h, req->trust);
	if (req->form)
		SET(CURLOPT_COPYPOSTFIELDS, req->form);
	if (req->body) {
		SET(CURLOPT_POSTFIELDS, req->body);
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body_len);
	}
	if (req->method && str_eq(req->method, "HEAD"))
		SET(CURLOPT_NOBODY, 1L);
	else if (req->method)
		SET(CURLOPT_CUSTOMREQUEST, req->method);
}

/* One hop: send, and read the head of the answer. */
static int hop(struct http *h, const struct http_request *req, const char *url,
	bool with_authorization, struct http_response *resp, struct err *err)
{
	int r;

	end_transfer(h);
	/* Nothing of the hop before may pass for an answer of this one. */
	memset(resp, 0, sizeof(*resp));
	if (add_headers(h, req, with_authorization) < 0)
		return err_set(err, -ENOMEM, "cannot send a request");
	h->curl_text[0] = '\0';
	h->header_bytes = 0;
	h->result = CURLE_OK;
	h->resp = resp;
	h->home = req->home;
	set_options(h, req, url);
	h->phase = PHASE_HEAD;
	if (h->lib->multi_add_handle(h->multi, h->easy) != CURLM_OK)
		return err_set(err, -ENOMEM, "cannot send a request");
	h->added = true;
	r = run(h, head_is_complete);
	h->resp = NULL;
	if (r < 0)
		return err_say(err, -ECANCELED, "cancelled");
	/* Without the query: that of a redirect is often a secret. */
	log_debug("image", "http url='%.*s' status=%d authorization=%d", (int)strcspn(url, "?"),
		url, resp->status, with_authorization && req->authorization);
	if (resp->status >= 200)
		return 0;
	resp->transient = is_transient(h->result);
	resp->no_tls = h->now.is_tls
			       ? h->result == CURLE_SSL_CONNECT_ERROR
			       : h->result == CURLE_RECV_ERROR || h->result == CURLE_GOT_NOTHING ||
					 h->result == CURLE_WEIRD_SERVER_REPLY ||
					 h->result == CURLE_UNSUPPORTED_PROTOCOL;
	return h->result == CURLE_OK ? err_say(err, -ECONNRESET, "the answer is not HTTP")
				     : fail(h, err);
}

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Read a little of a body that nobody wants, so that the connection can be used again. */
static void drain(struct http *h)
{
	size_t total = 0, len;
	const uint8_t *data;

	while (total < DRAIN_BYTES && body_next(&h->source, &data, &len, NULL) > 0)
		total += len;
}

/* Where a redirect leads, if it may be followed. */
static int next_hop(struct http *h, char **url, bool plain_allowed, struct err *err)
{
	struct url from = h->now, to;
	char *location = NULL;

	(void)h->lib->easy_getinfo(h->easy, CURLINFO_REDIRECT_URL, &location);
	if (!location)
		return err_say(err, -EBADMSG, "a redirect has no location");
	if (url_parse(location, &to) < 0)
		return err_say(err, -EACCES, "a redirect to '%.200s' is not followed", location);
	if (!url_may_follow(&from, &to, plain_allowed))
		return err_say(err, -EACCES,
			"a redirect to 'http://%s' is not followed: others could read along",
			to.host);
	free(*url);
	*url = strdup(location);
	if (!*url)
		return err_set(err, -ENOMEM, "cannot follow a redirect");
	h->now = to;
	return 0;
}

int http_open(struct http *h, const struct http_request *req, struct http_response *resp,
	struct source **ret, struct err *err)
{
	auto_free char *url = strdup(req->url);
	struct url first;
	int r;

	memset(resp, 0, sizeof(*resp));
	if (!url)
		return err_set(err, -ENOMEM, "cannot send a request");
	if (url_parse(url, &first) < 0)
		return err_say(err, -EINVAL, "'%.200s' is not a URL", url);
	h->source = (struct source){ body_next, body_close };
	h->now = first;
	for (int hops = 0; hops <= LIMIT_HTTP_REDIRECTS; hops++) {
		bool same = url_same_origin(&h->now, &first);

		r = hop(h, req, url, same && url_is_private_line(&h->now), resp, err);
		if (r < 0) {
			if (!same)
				err_wrap(err, r, "redirected to '%s'", h->now.host);
			end_transfer(h);
			return r;
		}
		resp->redirected = !same;
		/* A body may hold a secret: it goes where it was meant to go, or nowhere. */
		if (!is_redirect(resp->status) || req->form ||
			(req->method && !str_eq(req->method, "HEAD"))) {
			*ret = &h->source;
			return 0;
		}
		drain(h);
		r = next_hop(h, &url, is_insecure(req), err);
		if (r < 0) {
			end_transfer(h);
			return r;
		}
	}
	end_transfer(h);
	return err_say(err, -ELOOP, "more than %d redirects", LIMIT_HTTP_REDIRECTS);
}
