// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
)

const resource = "clientidentities"

// object is an identity as JSON has it.
type object = map[string]any

// identity returns an identity of a name, with the spec that a YAML text says. The username is alice unless it says
// another one.
func identity(t *testing.T, name, spec string) object {
	t.Helper()
	fields := object{"username": "alice"}
	given := object{}
	if err := yaml.Unmarshal([]byte(spec), &given); err != nil {
		t.Fatalf("%s: %v", spec, err)
	}
	maps.Copy(fields, given)
	return object{
		"apiVersion": "clientidentity.dev/v1alpha1", "kind": "ClientIdentity",
		"metadata": object{"name": name}, "spec": fields,
	}
}

func encode(t *testing.T, o object) []byte {
	t.Helper()
	body, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// dryCreate has the API server default and validate an object, and returns what it would store.
func dryCreate(body []byte) ([]byte, error) {
	return send(raw.Post().Resource(resource).Param("dryRun", metav1.DryRunAll), body)
}

// create stores an object.
func create(body []byte) ([]byte, error) {
	return send(raw.Post().Resource(resource), body)
}

// update replaces a stored object, or its status, if the API server accepts it.
func update(name, subresource string, body []byte) ([]byte, error) {
	return send(raw.Put().Resource(resource).Name(name).SubResource(subresource), body)
}

// dryUpdateStatus has the API server validate a status, and returns what it would store.
func dryUpdateStatus(name string, body []byte) ([]byte, error) {
	return send(raw.Put().Resource(resource).Name(name).SubResource("status").Param("dryRun", metav1.DryRunAll), body)
}

// send sends an object and returns what the API server answers. Unknown and duplicate fields are refused, as with kubectl.
func send(r *rest.Request, body []byte) ([]byte, error) {
	result := r.Param("fieldValidation", metav1.FieldValidationStrict).Body(body).Do(ctx)
	answer, _ := result.Raw()
	return answer, result.Error() // unlike Raw, this says why
}

// stored creates an identity that is removed when the test ends.
func stored(t *testing.T, name, spec string) {
	t.Helper()
	if _, err := create(encode(t, identity(t, name, spec))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := raw.Delete().Resource(resource).Name(name).Do(ctx).Error(); err != nil {
			t.Error(err)
		}
	})
}

// refusals returns why an object was refused: "field: message", sorted; nil if it was not.
func refusals(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	var status *apierrors.StatusError
	if !errors.As(err, &status) || status.ErrStatus.Details == nil || len(status.ErrStatus.Details.Causes) == 0 {
		return []string{err.Error()}
	}
	var found []string
	for _, cause := range status.ErrStatus.Details.Causes {
		// What the API server says of a value that failed: it repeats it, and does not check the rest.
		if strings.HasPrefix(cause.Message, "Invalid value: null: some validation rules were not checked") {
			continue
		}
		// From Kubernetes 1.36 on it says of a number that is no int32 so as well, and calls types by other names.
		if strings.HasPrefix(cause.Message, `Invalid value: "": Checked value must be of type integer with format int32`) {
			continue
		}
		found = append(found, fmt.Sprintf("%s: %s", cause.Field, numberTypes.Replace(cause.Message)))
	}
	slices.Sort(found)
	return found
}

var numberTypes = strings.NewReplacer(`"float64"`, `"number"`, "must be of type int32", "must be of type integer")

// want is what the API server answers: nothing, or every refusal.
type want = []string

// invalid is what the API server says of a value that a rule refuses.
func invalid(path, value, message string) string {
	return fmt.Sprintf("%s: Invalid value: %q: %s", path, value, message)
}

// broken is what the API server says where a rule about several fields is broken.
func broken(path, message string) string { return fmt.Sprintf("%s: Invalid value: %s", path, message) }

// expect compares what the API server answered.
func expect(t *testing.T, got, wanted want) {
	t.Helper()
	if !slices.Equal(got, wanted) {
		t.Errorf("the API server says\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(wanted, "\n\t"))
	}
}

// rules is a table of specs and what the API server says of them.
type rules map[string]struct {
	spec string
	want want
}

func (r rules) check(t *testing.T) {
	t.Helper()
	for name, test := range r {
		t.Run(name, func(t *testing.T) {
			_, err := dryCreate(encode(t, identity(t, "alice", test.spec)))
			expect(t, refusals(t, err), test.want)
		})
	}
}

// changes is a table of updates: what is stored, what is to replace it, and what the API server says of that.
type changes map[string]struct {
	from, to string
	want     want
}

func (c changes) check(t *testing.T) {
	t.Helper()
	for name, test := range c {
		t.Run(name, func(t *testing.T) {
			stored(t, "changed", test.from)
			_, err := update("changed", "", encode(t, resourceVersioned(t, identity(t, "changed", test.to))))
			expect(t, refusals(t, err), test.want)
		})
	}
}

// resourceVersioned copies the version of the stored object, which a replacement must name.
func resourceVersioned(t *testing.T, o object) object {
	t.Helper()
	metadata := o["metadata"].(object)
	body, err := raw.Get().Resource(resource).Name(metadata["name"].(string)).DoRaw(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var current struct {
		Metadata struct {
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(body, &current); err != nil {
		t.Fatal(err)
	}
	metadata["resourceVersion"] = current.Metadata.ResourceVersion
	return o
}

// unknownField is what the API server says of a field that the schema does not have.
func unknownField(path string) string {
	return fmt.Sprintf("ClientIdentity in version %q cannot be handled as a ClientIdentity: strict decoding error: unknown field %q", "v1alpha1", path)
}
