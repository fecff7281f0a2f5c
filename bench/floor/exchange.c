/* The least that a credential helper can do: read git's request, ask over a Unix socket, print the answer. No check, no deadline, no
 * error message: what a helper costs above this is what those cost. The frames are ours (protocol/src/frame.rs). */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void value(const char *text, const char *key, char *out, size_t size) {
    const char *at = strstr(text, key);
    if (!at)
        exit(1);
    at += strlen(key);
    size_t length = strcspn(at, "\n\"");
    if (length >= size)
        exit(1);
    memcpy(out, at, length);
    out[length] = 0;
}

static void all(int file, char *buffer, size_t length) {
    for (size_t done = 0; done < length;) {
        ssize_t count = read(file, buffer + done, length - done);
        if (count <= 0)
            exit(1);
        done += (size_t)count;
    }
}

int main(void) {
    static char request[4096], frame[8192], answer[65536], host[256], path[256], user[256], token[4096];
    size_t length = 0;
    ssize_t count;
    while ((count = read(0, request + length, sizeof request - 1 - length)) > 0)
        length += (size_t)count;
    value(request, "host=", host, sizeof host);
    value(request, "path=", path, sizeof path);
    char *git = strstr(path, ".git");
    if (git)
        *git = 0;

    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *place = getenv("GHAPP_SOCKET");
    if (!place || strlen(place) >= sizeof address.sun_path)
        return 1;
    strcpy(address.sun_path, place);
    int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (file < 0 || connect(file, (struct sockaddr *)&address, sizeof address))
        return 1;

    int written = snprintf(frame + 4, sizeof frame - 4,
        "{\"v\":1,\"client\":\"floor\",\"call\":\"get\",\"host\":\"%s\",\"repository\":\"%s\"}", host, path);
    uint32_t size = htonl((uint32_t)written);
    memcpy(frame, &size, 4);
    if (write(file, frame, (size_t)written + 4) != written + 4)
        return 1;
    all(file, (char *)&size, 4);
    size = ntohl(size);
    if (size >= sizeof answer)
        return 1;
    all(file, answer, size);
    value(answer, "\"username\":\"", user, sizeof user);
    value(answer, "\"token\":\"", token, sizeof token);
    const char *expires = strstr(answer, "\"expires_at\":");
    if (!expires)
        return 1;
    long expiry = strtol(expires + strlen("\"expires_at\":"), NULL, 10) - 60;
    written = snprintf(frame, sizeof frame, "username=%s\npassword=%s\npassword_expiry_utc=%ld\n", user, token, expiry);
    return write(1, frame, (size_t)written) != written;
}
