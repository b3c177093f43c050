#!/usr/bin/env bash
# Builds the Dockerfile where there is neither a container engine nor a registry, and compares what comes out with what make image
# makes of the same tree: build-dockerfile.sh ARCHIVE IMAGE VERSION REVISION (make image-dockerfile). It needs root and Debian's package buildah.
set -euo pipefail
cd "$(dirname "$0")/.."
archive=$1 image=$2 version=$3 revision=$4

die() {
	echo "image-dockerfile: $*" >&2
	exit 1
}
command -v buildah >/dev/null || die "buildah is missing: apt-get install --no-install-recommends buildah"
[ "$(id -u)" = 0 ] || die "needs root: RUN is done with chroot"

work=$(mktemp -d)
# A storage of its own: what it leaves is its own, too.
buildah() { command buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"; }
trap 'buildah umount --all >/dev/null 2>&1 || true; rm -rf "$work"' EXIT

# The Dockerfile's base images stand for a Go of a version, and for nothing but a user. A Go of another version would make other bytes.
mapfile -t bases < <(awk '$1 == "FROM" {for (i = 2; i <= NF; i++) if ($i !~ /^--/) {print $i; break}}' Dockerfile)
[ "${#bases[@]}" = 2 ] || die "the Dockerfile has ${#bases[@]} stages, and this script knows two"
[ "golang:$(go env GOVERSION | sed 's/^go//')" = "${bases[0]}" ] || die "the Dockerfile builds with ${bases[0]}, and here is $(go env GOVERSION)"

# stand_in NAME makes an image that has nothing of its own; more arguments configure it.
stand_in() {
	local container
	container=$(buildah from scratch)
	mkdir -p "$work/root/tmp"
	ln -sfn usr/bin "$work/root/bin"
	ln -sfn usr/lib "$work/root/lib"
	[ ! -e /usr/lib64 ] || ln -sfn usr/lib64 "$work/root/lib64"
	[ "$1" != "${bases[0]}" ] || buildah copy --quiet "$container" "$work/root" / >/dev/null
	buildah config "${@:2}" "$container"
	buildah commit --quiet --rm "$container" "$1" >/dev/null
}
goroot=$(go env GOROOT)
stand_in "${bases[0]}" --env "PATH=$goroot/bin:/usr/bin" --env "GOROOT=$goroot" --env HOME=/tmp --env GOTOOLCHAIN=local \
	--env "GOPROXY=$(go env GOPROXY)" --env GOMODCACHE=/modules --env GOCACHE=/cache
stand_in "${bases[1]}" --user 65532

# The system, the modules and the cache of this machine serve the build, so that it takes seconds.
buildah bud --quiet --isolation chroot --network host --pull-never \
	--volume /usr:/usr:ro --volume /etc/ssl:/etc/ssl:ro --volume "$goroot:$goroot:ro" \
	--volume "$(go env GOMODCACHE):/modules" --volume "$(go env GOCACHE):/cache" \
	--build-arg VERSION="$version" --build-arg REVISION="$revision" --build-arg TARGETOS=linux --build-arg TARGETARCH="$(go env GOARCH)" \
	--tag dockerfile . >/dev/null
buildah pull --quiet "oci-archive:$archive" >/dev/null

# said IMAGE prints who it runs as, what it starts, and what it says it is; content IMAGE where its files are.
said() {
	buildah inspect --type image --format '{{with .OCIv1.Config}}user {{.User}}
entrypoint {{.Entrypoint}} {{.Cmd}}{{range $key, $value := .Labels}}
{{$key}}: {{$value}}{{end}}{{end}}
' "$1" | grep -v -e '^io.buildah.version' -e '^org.opencontainers.image.created'
}
content() { buildah mount "$(buildah from --pull-never "$1")"; }
diff <(said dockerfile) <(said "$image") || die "the Dockerfile's image (<) and that of make image (>) say different things"
cmp "$(content dockerfile)/manager" "$(content "$image")/manager" || die "the managers differ: keep the flags of Dockerfile and Makefile equal"
echo "The Dockerfile makes the manager of make image, byte for byte, and an image that runs it as the same user."
